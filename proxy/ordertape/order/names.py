"""The element names of the orders specification, and the spellings that clients send.

Source: orders-api.md; clients-and-orders.md, Spellings.
"""

from __future__ import annotations

from collections.abc import Mapping

ORDER_TYPES = (
    "ExistingTelephoneNumberOrderType",
    "AreaCodeSearchAndOrderType",
    "RateCenterSearchAndOrderType",
    "NPANXXSearchAndOrderType",
    "NPANXXXSearchAndOrderType",
    "TollFreeVanitySearchAndOrderType",
    "TollFreeWildCharSearchAndOrderType",
    "StateSearchAndOrderType",
    "CitySearchAndOrderType",
    "ZIPSearchAndOrderType",
    "LATASearchAndOrderType",
    "CombinedSearchAndOrderType",
)
"""Every order type, under its own name."""

REPEATABLE = ("TelephoneNumber", "ReservationId", "TnAttribute")
"""The elements that may occur several times under one parent."""

VALUES = frozenset(
    {
        *REPEATABLE,
        "AreaCode",
        "BackOrderRequested",
        "City",
        "CustomerOrderId",
        "EnableLCA",
        "EnableTNDetail",
        "EndsIn",
        "Lata",
        "LocalVanity",
        "Name",
        "NpaNxx",
        "NpaNxxX",
        "PartialAllowed",
        "PeerId",
        "Quantity",
        "RateCenter",
        "SiteId",
        "State",
        "TollFreeVanity",
        "TollFreeWildCardPattern",
        "Zip",
    }
)
"""The elements that hold a value and nothing else."""

LISTS = ("TelephoneNumberList", "ReservationIdList", "TnAttributes")
"""The elements that hold repeatable ones."""

CONTAINERS = frozenset({"Order", *ORDER_TYPES, *LISTS})
"""The elements that hold elements, and never a value of their own."""

SPELLINGS: Mapping[str, str] = {
    "NpanxxSearchAndOrderType": "NPANXXSearchAndOrderType",
    "ZipSearchAndOrderType": "ZIPSearchAndOrderType",
    "LataSearchAndOrderType": "LATASearchAndOrderType",
    "EnableLca": "EnableLCA",
    "EnableTnDetail": "EnableTNDetail",
    "LATA": "Lata",
    "TollFreeWildCharPattern": "TollFreeWildCardPattern",
}
"""What official clients write, and the specification's name for it."""

SPECIFIED: Mapping[str, str] = {
    **{name: name for name in ("Order", *ORDER_TYPES, *sorted(VALUES), *LISTS)},
    **SPELLINGS,
}
"""Every known spelling, and the specification's name for it."""

_SPELLINGS_OF = {
    name: tuple(spelling for spelling, meant in SPECIFIED.items() if meant == name)
    for name in SPECIFIED.values()
}
_BY_LOWER_CASE = {spelling.lower(): name for spelling, name in SPECIFIED.items()}


def specified(tag: str) -> str:
    """The specification's name of an element under a listed spelling; any other name as it is."""
    return SPELLINGS.get(tag, tag)


def is_specified(name: str) -> bool:
    """Whether the specification has an element of this very name, once under one parent."""
    return name in _SPELLINGS_OF and name not in REPEATABLE


def spellings(name: str) -> tuple[str, ...]:
    """Every spelling under which the element of this specified name may come."""
    return _SPELLINGS_OF.get(name, (name,))


def case_variant_of(tag: str) -> str | None:
    """The specified name that an unknown one differs from in letter case only, or None."""
    return None if tag in SPECIFIED else _BY_LOWER_CASE.get(tag.lower())
