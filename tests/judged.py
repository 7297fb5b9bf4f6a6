"""What the built-in rules make of an order, and whether the stand-in of the service agrees."""

from collections.abc import Mapping

from ordertape.model import Violation
from ordertape.order import read_order
from ordertape.rule import Fields, build_rules
from ordertape.upstream.sandbox import limits, reading

RULES = build_rules({}, {})


def searched(order_type: str, criteria: str, common: str = "") -> str:
    """A whole order; it has a site, and says PartialAllowed unless `common` does."""
    partial = "" if "PartialAllowed" in common else "<PartialAllowed>true</PartialAllowed>"
    return (
        f"<Order><SiteId>743</SiteId>{partial}{common}<{order_type}>{criteria}</{order_type}>"
        "</Order>"
    )


def area(common: str = "", beside: str = "<Quantity>1</Quantity>") -> str:
    """An area-code order with these elements in the order and beside the criterion."""
    return searched("AreaCodeSearchAndOrderType", f"<AreaCode>617</AreaCode>{beside}", common)


def combined(criteria: str, common: str = "") -> str:
    """A combined order with a Quantity."""
    return searched("CombinedSearchAndOrderType", f"{criteria}<Quantity>1</Quantity>", common)


def existing(numbers: str, reservations: str = "") -> str:
    """An order for existing numbers, whose lists hold this."""
    listed = f"<TelephoneNumberList>{numbers}</TelephoneNumberList>"
    return searched("ExistingTelephoneNumberOrderType", listed + reservations)


def judged(body: str, config: Mapping[str, Fields] | None = None) -> tuple[Violation, ...]:
    """Every violation that the built-in rules find."""
    rules = RULES if config is None else build_rules(config, {})
    return rules.apply(read_order(body.encode(), None), None).violations


def told(
    body: str, config: Mapping[str, Fields] | None = None
) -> list[tuple[str, str, str, str, str]]:
    """Every violation: rule, severity, code, XPath and sentence."""
    return [
        (found.rule, found.severity, found.code, found.xpath, found.message)
        for found in judged(body, config)
    ]


def codes(body: str, config: Mapping[str, Fields] | None = None) -> list[str]:
    """The codes that an order is refused with, sorted."""
    return sorted(found.code for found in judged(body, config) if found.severity == "enforce")


def of_the_service(body: str | bytes) -> list[str]:
    """The codes that the sandbox would refuse the order with, after normalising, sorted."""
    order = read_order(body.encode() if isinstance(body, str) else body, None)
    RULES.apply(order, None)
    return sorted(problem.code for problem in limits.judge(reading.read(order.serialize())))


def agreed(body: str) -> list[str]:
    """The codes of both, which have to be the same."""
    found = codes(body)
    assert set(found) == set(of_the_service(body))
    return found
