"""An order's bytes → what it asks for: leniently, as a service with an XML binding reads."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from lxml import etree

EXISTING = "ExistingTelephoneNumberOrderType"
COMBINED = "CombinedSearchAndOrderType"
TOLL_FREE = ("TollFreeVanitySearchAndOrderType", "TollFreeWildCharSearchAndOrderType")

_TYPES = frozenset(
    {
        EXISTING,
        COMBINED,
        *TOLL_FREE,
        "AreaCodeSearchAndOrderType",
        "RateCenterSearchAndOrderType",
        "NPANXXSearchAndOrderType",
        "NPANXXXSearchAndOrderType",
        "StateSearchAndOrderType",
        "CitySearchAndOrderType",
        "ZIPSearchAndOrderType",
        "LATASearchAndOrderType",
    }
)
_COMMON = frozenset(
    {
        "BackOrderRequested",
        "CloseOrder",
        "CustomerOrderId",
        "Name",
        "PartialAllowed",
        "PeerId",
        "SiteId",
    }
)
_CRITERIA = frozenset(
    {
        "AreaCode",
        "City",
        "EnableLCA",
        "EnableTNDetail",
        "EndsIn",
        "Lata",
        "LocalVanity",
        "NpaNxx",
        "NpaNxxX",
        "Quantity",
        "RateCenter",
        "State",
        "TollFreeVanity",
        "TollFreeWildCardPattern",
        "Zip",
    }
)
_SPELLINGS: Mapping[str, str] = {
    "NpanxxSearchAndOrderType": "NPANXXSearchAndOrderType",
    "ZipSearchAndOrderType": "ZIPSearchAndOrderType",
    "LataSearchAndOrderType": "LATASearchAndOrderType",
    "EnableLca": "EnableLCA",
    "EnableTnDetail": "EnableTNDetail",
    "LATA": "Lata",
    "TollFreeWildCharPattern": "TollFreeWildCardPattern",
}
"""Whether the service takes what its own SDKs write is not known; a stand-in had better."""

_DEFAULTS: Mapping[str, tuple[tuple[str, str], ...]] = {
    EXISTING: (),
    "NPANXXSearchAndOrderType": (("EnableLCA", "true"), ("Quantity", "5000")),
    "NPANXXXSearchAndOrderType": (("EnableLCA", "true"), ("Quantity", "5000")),
    "RateCenterSearchAndOrderType": (("EnableLCA", "true"), ("Quantity", "5000")),
}
_COMMON_DEFAULTS = {"BackOrderRequested": "false", "PartialAllowed": "true"}

_BLANKS = b" \t\r\n"
_PARSER = etree.XMLParser(
    resolve_entities=False,
    no_network=True,
    load_dtd=False,
    huge_tree=False,
    remove_comments=True,
    remove_pis=True,
)


class UnreadableError(ValueError):
    """The body is no XML, or no Order; the sentence says which."""


@dataclass(frozen=True, slots=True)
class OrderType:
    """One order-type element, under the specification's names; values as they came."""

    name: str = ""
    criteria: tuple[tuple[str, str], ...] = ()
    numbers: tuple[str, ...] = ()
    reservations: tuple[str, ...] = ()

    @property
    def by_name(self) -> dict[str, str]:
        """The criteria; of one that occurs twice the last counts, as in any XML binding."""
        return dict(self.criteria)


@dataclass(frozen=True, slots=True)
class Asked:
    """An order as read. `common` are its own values; unknown elements are left out."""

    common: Mapping[str, str] = field(default_factory=dict)
    types: tuple[OrderType, ...] = ()
    attributes: tuple[str, ...] = ()

    @property
    def type(self) -> OrderType:
        """The order type; an empty one where there is none or several."""
        return self.types[0] if len(self.types) == 1 else OrderType()

    @property
    def partial(self) -> bool:
        """Whether fewer numbers than asked for will do."""
        return self.common.get("PartialAllowed", "true") == "true"

    @property
    def back_order(self) -> bool:
        """Whether the order should wait for numbers that are not there."""
        return self.common.get("BackOrderRequested") == "true"

    def values(self) -> Iterator[tuple[str, str]]:
        """(element, value) of everything that has a format."""
        yield from self.common.items()
        yield from self.type.criteria
        yield from (("TelephoneNumber", number) for number in self.type.numbers)
        yield from (("ReservationId", reservation) for reservation in self.type.reservations)
        yield from (("TnAttribute", attribute) for attribute in self.attributes)

    def with_defaults(self) -> Asked:
        """The order with what the service assumes where nothing is said.

        Source: orders-api.md, POST tables; clients-and-orders.md, Defaults.
        """
        return replace(
            self,
            common={**_COMMON_DEFAULTS, **self.common},
            types=tuple(_type_with_defaults(kind) for kind in self.types),
        )


def read(body: bytes) -> Asked:
    """Read an order; entities and document types are never followed. Errors: UnreadableError."""
    try:
        root = etree.fromstring(body.lstrip(_BLANKS), _PARSER)
    except etree.XMLSyntaxError as error:
        raise UnreadableError(f"The body is not well-formed XML ({error.msg}).") from error
    if root.getroottree().docinfo.doctype:
        raise UnreadableError("The body holds a document type; send the Order alone.")
    if _name(root) != "Order":
        raise UnreadableError(f"The root element is {_name(root)}, not Order.")
    children = [(_name(child), child) for child in root]
    return Asked(
        common={name: child.text or "" for name, child in children if name in _COMMON},
        types=tuple(_order_type(name, child) for name, child in children if name in _TYPES),
        attributes=_items(root, "TnAttributes", "TnAttribute"),
    )


def _order_type(name: str, element: etree._Element) -> OrderType:
    leaves = [(_name(child), child.text or "") for child in element]
    return OrderType(
        name,
        tuple((leaf, text) for leaf, text in leaves if leaf in _CRITERIA),
        _items(element, "TelephoneNumberList", "TelephoneNumber"),
        _items(element, "ReservationIdList", "ReservationId"),
    )


def _items(parent: etree._Element, container: str, item: str) -> tuple[str, ...]:
    return tuple(
        child.text or ""
        for group in parent
        if _name(group) == container
        for child in group
        if _name(child) == item
    )


def _name(element: etree._Element) -> str:
    """The specification's name of an element, whatever its namespace."""
    name = str(etree.QName(element).localname)
    return _SPELLINGS.get(name, name)


def _type_with_defaults(kind: OrderType) -> OrderType:
    stated = kind.by_name
    assumed = _DEFAULTS.get(kind.name, (("Quantity", "5000"),))
    if "LocalVanity" in stated:
        assumed = (("EndsIn", "false"), *assumed)
    added = tuple(pair for pair in assumed if pair[0] not in stated)
    return replace(kind, criteria=kind.criteria + added)
