"""What the service refuses, and with which code: two literal tables and one function.

Source: clients-and-orders.md, Limits and formats. The codes are the service's; of the sentences
only that of 5016 is on record.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ordertape.upstream.sandbox.reading import COMBINED, EXISTING, TOLL_FREE, Asked, OrderType


@dataclass(frozen=True, slots=True)
class Problem:
    """One `<Error>`. `number` is the telephone number that it is about, where it is about one."""

    code: str
    sentence: str
    number: str | None = None


@dataclass(frozen=True, slots=True)
class Format:
    """Every value of `element` must match `pattern` from end to end."""

    element: str
    pattern: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Relation:
    """What must not be true of an order as a whole."""

    broken: Callable[[Asked], bool]
    code: str
    sentence: str


_BOOLEAN = "true|false"
_VANITY = "[A-Za-z0-9]{4,7}"
_UUID = "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}"

FORMATS = (
    Format("SiteId", "[0-9]*", "5016", "The SiteId submitted is invalid."),
    Format("PeerId", "[0-9]*", "5023", "The PeerId submitted is invalid."),
    Format("Quantity", "0*[1-9][0-9]*", "5009", "The Quantity is not a whole number from 1."),
    Format("Name", "(?s:.{0,50})", "1011", "The Name is longer than 50 characters."),
    Format(
        "CustomerOrderId",
        "[A-Za-z0-9 -]{0,40}",
        "5052",
        "The CustomerOrderId is not at most 40 letters, digits, dashes and spaces.",
    ),
    Format("PartialAllowed", _BOOLEAN, "5217", "PartialAllowed is not true or false."),
    Format("BackOrderRequested", _BOOLEAN, "5002", "BackOrderRequested is not true or false."),
    Format("EnableLCA", _BOOLEAN, "5002", "EnableLCA is not true or false."),
    Format("EnableTNDetail", _BOOLEAN, "5002", "EnableTNDetail is not true or false."),
    Format("EndsIn", _BOOLEAN, "5002", "EndsIn is not true or false."),
    Format("AreaCode", "[2-9][0-9]{2}", "5002", "The AreaCode is not three digits from 200."),
    Format("NpaNxx", "(?:[2-9][0-9]{2}){2}", "5002", "The NpaNxx is not valid."),
    Format("NpaNxxX", "(?:[2-9][0-9]{2}){2}[0-9]", "5002", "The NpaNxxX is not valid."),
    Format("Zip", "[0-9]{5}(?:-[0-9]{4})?", "5002", "The Zip is not XXXXX or XXXXX-XXXX."),
    Format("Lata", "[0-9]{1,5}", "5002", "The Lata is not one to five digits."),
    Format("State", "[A-Za-z]{2}", "5002", "The State is not two letters."),
    Format("RateCenter", "(?s:.+)", "5002", "The RateCenter is empty."),
    Format("City", "(?s:.+)", "5002", "The City is empty."),
    Format("LocalVanity", _VANITY, "5002", "The LocalVanity is not 4 to 7 letters or digits."),
    Format(
        "TollFreeVanity", _VANITY, "5002", "The TollFreeVanity is not 4 to 7 letters or digits."
    ),
    Format(
        "TollFreeWildCardPattern",
        r"8(?:\*\*|[0-9]\*|[0-9]{2})",
        "5002",
        "The TollFreeWildCardPattern is not 8**, 8d* or 8dd.",
    ),
    Format("TelephoneNumber", "[2-9][0-9]{9}", "5070", "A telephone number is not valid."),
    Format("ReservationId", _UUID, "1008", "A reservation id is not valid."),
    Format("TnAttribute", "Protected|External|Imported", "5102", "A TnAttribute is not known."),
)

_ONE_OF_THREE = ("AreaCode", "NpaNxx", "NpaNxxX")
_SEARCHED = frozenset({*_ONE_OF_THREE, "RateCenter", "State", "Lata", "City", "Zip", "LocalVanity"})
_WITH_LCA = (frozenset({"NpaNxx"}), frozenset({"NpaNxxX"}), frozenset({"RateCenter", "State"}))
_WITH_VANITY = frozenset({"AreaCode", "LocalVanity", "Quantity", "EndsIn"})
_LARGEST = 5000
_MANY_DIGITS = 10

REQUIRED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "AreaCodeSearchAndOrderType": (("AreaCode",),),
    "RateCenterSearchAndOrderType": (("RateCenter",), ("State",)),
    "NPANXXSearchAndOrderType": (("NpaNxx", "NpaNxxX"),),
    "NPANXXXSearchAndOrderType": (("NpaNxxX",),),
    "TollFreeVanitySearchAndOrderType": (("TollFreeVanity",),),
    "TollFreeWildCharSearchAndOrderType": (("TollFreeWildCardPattern",),),
    "StateSearchAndOrderType": (("State",),),
    "CitySearchAndOrderType": (("City",), ("State",)),
    "ZIPSearchAndOrderType": (("Zip",),),
    "LATASearchAndOrderType": (("Lata",),),
}
"""Order type → what it cannot do without; of the elements in one group, any will do."""


def _combined(asked: Asked) -> frozenset[str]:
    """The criteria of a Combined order; none of any other."""
    return frozenset(asked.type.by_name) if asked.type.name == COMBINED else frozenset()


def _too_many(asked: Asked) -> bool:
    quantity = asked.type.by_name.get("Quantity", "")
    return re.fullmatch("[0-9]+", quantity) is not None and count(quantity) > _LARGEST


def _crowded_vanity(asked: Asked) -> bool:
    stated = _combined(asked)
    return "LocalVanity" in stated and (
        "AreaCode" not in stated or not stated <= _WITH_VANITY or asked.back_order
    )


def _stray_lca(asked: Asked) -> bool:
    stated = _combined(asked)
    wanted = asked.type.by_name.get("EnableLCA") == "true"
    return bool(stated) and wanted and stated & _SEARCHED not in _WITH_LCA


RELATIONS = (
    Relation(lambda o: not o.common.get("SiteId"), "5022", "The SiteId is missing."),
    Relation(lambda o: len(o.types) != 1, "5087", "The order does not have exactly one type."),
    Relation(_too_many, "5215", "The Quantity is more than 5000."),
    Relation(
        lambda o: o.type.name == EXISTING and not o.type.numbers,
        "5073",
        "The TelephoneNumberList is empty.",
    ),
    Relation(
        lambda o: len(set(o.type.numbers)) < len(o.type.numbers),
        "5093",
        "A telephone number is listed twice.",
    ),
    Relation(
        lambda o: "Protected" in o.attributes and o.type.name in TOLL_FREE,
        "5101",
        "Toll-free numbers cannot be Protected.",
    ),
    Relation(
        lambda o: len(_combined(o) & {*_ONE_OF_THREE}) > 1,
        "5002",
        "AreaCode, NpaNxx and NpaNxxX exclude each other.",
    ),
    Relation(
        lambda o: bool(_combined(o) & {"City", "RateCenter"}) and "State" not in _combined(o),
        "5002",
        "City and RateCenter need a State.",
    ),
    Relation(
        _stray_lca,
        "5002",
        "EnableLCA goes only with NpaNxx, NpaNxxX, or RateCenter and State, and nothing else.",
    ),
    Relation(
        _crowded_vanity,
        "5002",
        "LocalVanity needs AreaCode, and goes with nothing else but Quantity and EndsIn.",
    ),
    Relation(
        lambda o: "EndsIn" in o.type.by_name and "LocalVanity" not in o.type.by_name,
        "5002",
        "EndsIn goes only with LocalVanity.",
    ),
    Relation(
        lambda o: o.type.name == COMBINED and not _combined(o) & _SEARCHED,
        "5224",
        "A combined search needs at least one criterion.",
    ),
)


def count(quantity: str) -> int:
    """The value of digits; of very many, one that is larger than any limit here."""
    digits = quantity.lstrip("0")
    return int(digits or "0") if len(digits) < _MANY_DIGITS else sys.maxsize


def judge(asked: Asked) -> tuple[Problem, ...]:
    """Everything that the service would refuse the order for; empty where nothing."""
    return (
        *misformatted(asked.values()),
        *(Problem(row.code, row.sentence) for row in RELATIONS if row.broken(asked)),
        *_missing(asked.type),
    )


def misformatted(values: Iterable[tuple[str, str]]) -> tuple[Problem, ...]:
    """One problem for every row of FORMATS that a value breaks."""
    pairs = list(values)
    return tuple(
        Problem(row.code, row.sentence)
        for row in FORMATS
        if any(
            name == row.element and re.fullmatch(row.pattern, value) is None
            for name, value in pairs
        )
    )


def _missing(kind: OrderType) -> Iterable[Problem]:
    for group in REQUIRED.get(kind.name, ()):
        if not {*group} & {*kind.by_name}:
            yield Problem("5002", f"{' or '.join(group)} is missing in the {kind.name}.")
