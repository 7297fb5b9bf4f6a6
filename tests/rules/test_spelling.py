"""Spellings of official clients: forwarded with a warning, renamed, or refused."""

import pytest

from judged import told
from ordertape.model import Edit
from ordertape.order import SPELLINGS, read_order
from ordertape.rule import build_rules

ROOT = "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
NPA_NXX = "<NpaNxx>919439</NpaNxx><Quantity>1</Quantity>"
HOLDERS = {
    "NpanxxSearchAndOrderType": "<{0}><EnableLCA>true</EnableLCA>" + NPA_NXX + "</{0}>",
    "ZipSearchAndOrderType": "<{0}><Zip>27606</Zip><Quantity>1</Quantity></{0}>",
    "LataSearchAndOrderType": "<{0}><Lata>224</Lata><Quantity>1</Quantity></{0}>",
    "EnableLca": (
        "<NPANXXSearchAndOrderType><{0}>true</{0}>" + NPA_NXX + "</NPANXXSearchAndOrderType>"
    ),
    "EnableTnDetail": (
        "<NPANXXSearchAndOrderType><EnableLCA>true</EnableLCA><{0}>true</{0}>"
        + NPA_NXX
        + "</NPANXXSearchAndOrderType>"
    ),
    "LATA": (
        "<LATASearchAndOrderType><{0}>224</{0}><Quantity>1</Quantity></LATASearchAndOrderType>"
    ),
    "TollFreeWildCharPattern": (
        "<TollFreeWildCharSearchAndOrderType><{0}>8**</{0}><Quantity>1</Quantity>"
        "</TollFreeWildCharSearchAndOrderType>"
    ),
}


def spelt(spelling: str, name: str) -> str:
    return f"{ROOT}{HOLDERS[spelling].format(name)}</Order>"


def place(spelling: str, name: str) -> str:
    inner = read_order(spelt(spelling, name).encode(), None)
    return inner.xpath(next(inner.elements(name)))


def test_every_listed_spelling_is_tried() -> None:
    assert HOLDERS.keys() == SPELLINGS.keys()


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize(("action", "severity"), [("forward", "warn"), ("refuse", "enforce")])
def test_a_spelling_is_forwarded_with_a_warning_or_refused(
    spelling: str, action: str, severity: str
) -> None:
    body, name = spelt(spelling, spelling), SPELLINGS[spelling]
    order = read_order(body.encode(), None)
    rules = build_rules({"spelling": {"action": action}}, {})
    verdict = rules.apply(order, None)
    assert [(v.rule, v.severity, v.code, v.xpath, v.message) for v in verdict.violations] == [
        (
            "spelling",
            severity,
            "94002",
            order.xpath(next(order.root.iter(spelling))),
            f"{spelling} is the specification's {name} misspelt; send it so.",
        )
    ]
    assert not order.changed


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_renamed_without_a_word_and_the_edit_noted(spelling: str) -> None:
    order, name = read_order(spelt(spelling, spelling).encode(), None), SPELLINGS[spelling]
    rules = build_rules({"spelling": {"action": "rename"}}, {})
    verdict = rules.apply(order, None)
    assert verdict.violations == ()
    assert verdict.edits == (Edit("spelling", place(spelling, name), f"<{spelling}>", f"<{name}>"),)
    again = read_order(order.serialize(), None)
    assert rules.apply(again, None).edits == ()
    assert again.serialize() == read_order(spelt(spelling, name).encode(), None).serialize()


@pytest.mark.parametrize("action", ["forward", "rename", "refuse"])
def test_the_specifications_own_names_and_unknown_ones_are_left_alone(action: str) -> None:
    for spelling, name in SPELLINGS.items():
        body = spelt(spelling, name).replace("</Order>", "<Extra><LATA>1</LATA></Extra></Order>")
        order = read_order(body.encode(), None)
        verdict = build_rules({"spelling": {"action": action}}, {}).apply(order, None)
        assert (verdict.edits, verdict.violations) == ((), ())


def test_several_are_told_in_the_order_of_the_document() -> None:
    body = f"{ROOT}<NpanxxSearchAndOrderType><EnableTnDetail>true</EnableTnDetail>{NPA_NXX}"
    body += "<EnableLca>true</EnableLca></NpanxxSearchAndOrderType></Order>"
    assert [found[3].rpartition("/")[2] for found in told(body)] == [
        "NpanxxSearchAndOrderType",
        "EnableTnDetail",
        "EnableLca",
    ]
