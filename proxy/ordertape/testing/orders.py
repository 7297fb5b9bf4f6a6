"""Orders to try rules on, as hypothesis strategies: valid ones and wild ones.

    @given(valid_orders())
    def test_every_valid_order_passes(body: bytes) -> None:
        order = read_order(body, None)

All are of the kind that `read_order` admits. Source: orders-api.md; clients-and-orders.md, Limits.
"""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Literal

from hypothesis import strategies as st
from lxml import etree

from ordertape.order import ORDER_TYPES, specified
from ordertape.order.names import LISTS, REPEATABLE, SPECIFIED, VALUES, spellings
from ordertape.testing.layouts import LAYOUTS, written

_EXISTING = "ExistingTelephoneNumberOrderType"
_COMBINED = "CombinedSearchAndOrderType"
_TOLL_FREE = ("TollFreeVanitySearchAndOrderType", "TollFreeWildCharSearchAndOrderType")
_UNUSED_BY_CSHARP = {
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsd": "http://www.w3.org/2001/XMLSchema",
}

# Values: by arithmetic where that is possible, because regular expressions are slow to draw.


def _numerals(least: int, most: int) -> st.SearchStrategy[str]:
    return st.integers(least, most).map(str)


_LETTERS_AND_DIGITS = string.ascii_letters + string.digits
_BOOLEAN = st.sampled_from(["true", "false"])
_PLACE = st.sampled_from(["RALEIGH", "St. Louis", "O'FALLON", "QUÉBEC"])
_VANITY = st.text(_LETTERS_AND_DIGITS, min_size=4, max_size=7)
_NPA, _NPA_NXX = (
    _numerals(200, 999),
    st.tuples(_numerals(200, 999), _numerals(200, 999)).map("".join),
)
_DIGITS = _numerals(0, 999_999) | st.just("007")
_ZIP = st.integers(0, 99_999).map("{:05}".format)

_VALID: Mapping[str, st.SearchStrategy[str]] = {
    "AreaCode": _NPA,
    "BackOrderRequested": _BOOLEAN,
    "City": _PLACE,
    "CustomerOrderId": st.text(_LETTERS_AND_DIGITS + "- ", max_size=40),
    "EnableLCA": _BOOLEAN,
    "EnableTNDetail": _BOOLEAN,
    "EndsIn": _BOOLEAN,
    "Lata": _numerals(0, 99_999),
    "LocalVanity": _VANITY,
    "Name": st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=50),
    "NpaNxx": _NPA_NXX,
    "NpaNxxX": st.tuples(_NPA_NXX, _numerals(0, 9)).map("".join),
    "PartialAllowed": _BOOLEAN,
    "PeerId": _DIGITS,
    "Quantity": _numerals(1, 5000) | st.sampled_from(["5000", "007"]),
    "RateCenter": _PLACE,
    "ReservationId": st.uuids().map(str),
    "SiteId": _DIGITS,
    "State": st.sampled_from(["NC", "nc", "PR", "ON"]),
    "TelephoneNumber": _numerals(2_000_000_000, 9_999_999_999),
    "TnAttribute": st.just("Protected"),
    "TollFreeVanity": _VANITY,
    "TollFreeWildCardPattern": st.sampled_from(["8**", "87*", "80*", "888", "800"]),
    "Zip": _ZIP
    | st.tuples(_ZIP, st.integers(0, 9999)).map(lambda zip_4: f"{zip_4[0]}-{zip_4[1]:04}"),
}

_NOT_IN_XML = "".join(map(chr, {*range(0x20)} - {0x9, 0xA, 0xD})) + "\ufffe\uffff"
# Nearly right: other scripts' digits, other blanks, signs, numbers past every limit.
_NEARLY = [
    *("", " ", "0", "-1", "1e3", "+5", "5001", "1 2", "\xb2", "\u0663", "\u0667\u0660\u0663"),
    *("\xa07\xa0", "TRUE", "1", "N", "N\u0307C", "\uff21", "8***", "[GUID]", "9" * 400),
    *("x" * 51, "<&>", "a\nb", "]]>", "\x85"),
]
_SURROGATES: tuple[Literal["Cs"]] = ("Cs",)
_TEXT = st.characters(exclude_categories=_SURROGATES, exclude_characters=_NOT_IN_XML)
_ANY_VALUE = st.sampled_from(_NEARLY) | st.text(_TEXT, max_size=12)
_BLANKS = st.sampled_from(["", " ", "\n    ", "\t", "\r\n"])

# Trees, compact. Plain functions draw, because a composite strategy costs more than it draws.


def _leaf(name: str, value: str | etree.CDATA | None) -> etree._Element:
    element = etree.Element(name)
    element.text = value
    return element


def _holding(name: str, children: Iterable[etree._Element]) -> etree._Element:
    element = etree.Element(name)
    element.extend(children)
    return element


_NAMESPACES = st.sampled_from([None, _UNUSED_BY_CSHARP])


def _root(draw: st.DrawFn, children: Iterable[etree._Element]) -> etree._Element:
    root = etree.Element("Order", nsmap=draw(_NAMESPACES))
    root.extend(children)
    return root


_REQUIRED: Mapping[str, tuple[str, ...]] = {
    "AreaCodeSearchAndOrderType": ("AreaCode",),
    "RateCenterSearchAndOrderType": ("RateCenter", "State"),
    "NPANXXSearchAndOrderType": ("NpaNxx",),
    "NPANXXXSearchAndOrderType": ("NpaNxxX",),
    "TollFreeVanitySearchAndOrderType": ("TollFreeVanity",),
    "TollFreeWildCharSearchAndOrderType": ("TollFreeWildCardPattern",),
    "StateSearchAndOrderType": ("State",),
    "CitySearchAndOrderType": ("City", "State"),
    "ZIPSearchAndOrderType": ("Zip",),
    "LATASearchAndOrderType": ("Lata",),
}


def _subsets(*names: str) -> st.SearchStrategy[list[str]]:
    """Some of these names, in their order."""
    return st.sets(st.sampled_from(names)).map(
        lambda chosen: [name for name in names if name in chosen]
    )


_QUANTITY = _subsets("Quantity")
_OPTIONAL: Mapping[str, st.SearchStrategy[list[str]]] = {
    **dict.fromkeys(_REQUIRED, _QUANTITY),
    "RateCenterSearchAndOrderType": _subsets("Quantity", "EnableLCA"),
    "NPANXXSearchAndOrderType": _subsets("Quantity", "EnableTNDetail", "EnableLCA"),
    "NPANXXXSearchAndOrderType": _subsets("Quantity", "EnableTNDetail", "EnableLCA"),
}
_NUMBERS = st.lists(_VALID["TelephoneNumber"], min_size=1, max_size=3, unique=True)
_RESERVATIONS = st.none() | st.lists(_VALID["ReservationId"], max_size=2, unique=True)
_WITH_VANITY = st.booleans()
_BESIDE_VANITY = _subsets("Quantity", "EndsIn")
_CRITERIA = st.tuples(
    st.sampled_from([[], ["AreaCode"], ["NpaNxx"], ["NpaNxxX"]]),
    # State stands beside what needs it.
    st.sampled_from(
        [[], ["State"], ["RateCenter", "State"], ["City", "State"], ["RateCenter", "City", "State"]]
    ),
    _subsets("Lata", "Zip"),
).map(lambda parts: [*parts[0], *parts[1], *parts[2]] or ["Zip"])
_LCA_WITHOUT, _LCA_WITH = st.sampled_from([None, "false"]), st.sampled_from([None, "false", "true"])
_SEARCHED_WITH_LCA = (["NpaNxx"], ["NpaNxxX"], ["RateCenter", "State"])


def _order_type(draw: st.DrawFn, name: str) -> etree._Element:
    if name == _EXISTING:
        lists = [_list("TelephoneNumberList", "TelephoneNumber", draw(_NUMBERS))]
        reserved = draw(_RESERVATIONS)
        if reserved is not None:
            lists.append(_list("ReservationIdList", "ReservationId", reserved))
        return _holding(name, lists)
    enable_lca = None
    if name != _COMBINED:
        names = [*_REQUIRED[name], *draw(_OPTIONAL[name])]
    elif draw(_WITH_VANITY):
        names = ["AreaCode", "LocalVanity", *draw(_BESIDE_VANITY)]
    else:
        criteria = draw(_CRITERIA)
        enable_lca = draw(_LCA_WITH if criteria in _SEARCHED_WITH_LCA else _LCA_WITHOUT)
        names = [*criteria, *draw(_QUANTITY)]
    leaves = [_leaf(child, draw(_VALID[child])) for child in names]
    if enable_lca is not None:
        leaves.append(_leaf("EnableLCA", enable_lca))
    return _holding(name, leaves)


def _list(name: str, member: str, values: Iterable[str]) -> etree._Element:
    return _holding(name, (_leaf(member, value) for value in values))


_BESIDE_TYPE = _subsets("CustomerOrderId", "Name", "PeerId", "PartialAllowed", "BackOrderRequested")
_ATTRIBUTES = st.sampled_from([None, [], ["Protected"]])


@st.composite
def valid_trees(draw: st.DrawFn, order_types: tuple[str, ...] = ORDER_TYPES) -> etree._Element:
    """The trees of `valid_orders`, compact."""
    order_type = _order_type(draw, draw(st.sampled_from(order_types)))
    children = [order_type, _leaf("SiteId", draw(_VALID["SiteId"]))]
    for name in draw(_BESIDE_TYPE):
        vain = name == "BackOrderRequested" and order_type.find("LocalVanity") is not None
        children.append(_leaf(name, "false" if vain else draw(_VALID[name])))
    attributes = draw(_ATTRIBUTES)
    if attributes is not None:
        kept = [] if order_type.tag in _TOLL_FREE else attributes
        children.append(_list("TnAttributes", "TnAttribute", kept))
    root = _root(draw, children)
    for parent in (root, order_type):
        parent[:] = draw(st.permutations(list(parent)))
    return root


_COMMENT = "<!-- -->"
_UNKNOWN = ("Unknown", "CountryCodeA3", "x-1.a")
_KNOWN = tuple(name for name in SPECIFIED if name != "Order")
_LIKELY = {
    "Order": tuple(name for name in _KNOWN if specified(name) not in REPEATABLE),
    **dict.fromkeys(LISTS, REPEATABLE),
    **dict.fromkeys(
        ORDER_TYPES, tuple(name for name in _KNOWN if specified(name) in VALUES or name in LISTS)
    ),
}
_ANY_NAME = st.sampled_from((*_UNKNOWN, _COMMENT)) | st.sampled_from(_KNOWN)
_DEEPEST = 4


def _children_of(name: str, most: int) -> st.SearchStrategy[list[str]]:
    likely = _LIKELY.get(name)
    names = st.sampled_from(likely) | _ANY_NAME if likely else _ANY_NAME
    return st.lists(names, max_size=most)


_CHILDREN = {name: _children_of(name, 6) for name in ("Order", *LISTS, *ORDER_TYPES)}
_FEW_CHILDREN = _children_of("Unknown", 2)
_HOLDS_VALUE = st.sampled_from([True, True, False])


def _wild_values(usual: st.SearchStrategy[str]) -> st.SearchStrategy[str | etree.CDATA | None]:
    blank_around = st.tuples(_BLANKS, usual, _BLANKS).map("".join)
    return st.none() | usual | blank_around | _ANY_VALUE | blank_around.map(_marked)


def _marked(value: str) -> str | etree.CDATA:
    """The value in a CDATA section, where that means the same in every layout."""
    return etree.CDATA(value) if value.isascii() and not {"]", "<", "\r"} & set(value) else value


_WILD = {name: _wild_values(usual) for name, usual in _VALID.items()}
_WILD_UNKNOWN = _wild_values(_ANY_VALUE)
_WILD_ATTRIBUTES = st.one_of(
    *[st.just({})] * 4,
    st.dictionaries(st.sampled_from(["id", "a", "x-1.b"]), _ANY_VALUE, max_size=2),
)
_COMMENT_TEXTS = st.text("ab 1<>?&=\n'\"", max_size=8)


def _wild(draw: st.DrawFn, name: str, depth: int) -> etree._Element:
    """An element of this name as nobody should send it."""
    meant = specified(name)
    if meant in _VALID:
        element = _leaf(name, draw(_WILD[meant]))
    elif meant not in _LIKELY and (depth > _DEEPEST or draw(_HOLDS_VALUE)):
        element = _leaf(name, draw(_WILD_UNKNOWN))
    else:
        element = _holding(name, _wild_children(draw, name, depth))
        if not len(element):
            element.text = draw(_BLANKS)
    element.attrib.update(draw(_WILD_ATTRIBUTES))
    return element


def _wild_children(draw: st.DrawFn, parent: str, depth: int) -> list[etree._Element]:
    names = _CHILDREN.get(specified(parent), _FEW_CHILDREN)
    children: list[etree._Element] = []
    met: set[str] = set()
    for name in draw(names if depth < _DEEPEST else _FEW_CHILDREN):
        meant = specified(name)
        if name == _COMMENT:
            children.append(etree.Comment(draw(_COMMENT_TEXTS)))
        elif meant not in met:
            if name not in (*REPEATABLE, *_UNKNOWN):
                met.add(meant)
            children.append(_wild(draw, name, depth + 1))
    return children


def _mutated(draw: st.DrawFn, root: etree._Element) -> None:
    """Make something of a valid order wild, in place."""
    place = draw(st.sampled_from(list(root.iter(etree.Element))))
    parent, meant = place.getparent(), specified(str(place.tag))
    place.tag = draw(st.sampled_from(spellings(meant)))
    if meant in _VALID:
        place.text = draw(_WILD[meant])
    elif parent is None or (meant in _LIKELY and draw(_HOLDS_VALUE)):
        met = {specified(str(child.tag)) for child in place} - {*REPEATABLE}
        place.extend(
            child
            for child in _wild_children(draw, meant, 1)
            if specified(str(child.tag)) not in met
        )
    else:
        parent.remove(place)


@st.composite
def wild_trees(draw: st.DrawFn) -> etree._Element:
    """The trees of `wild_orders`, compact."""
    if draw(st.booleans()):
        root = draw(valid_trees())
        for _ in range(draw(st.integers(1, 3))):
            _mutated(draw, root)
    else:
        root = _root(draw, _wild_children(draw, "Order", 1))
    for text in draw(st.lists(_COMMENT_TEXTS, max_size=1)):
        root.addprevious(etree.Comment(text))
    return root


# Bytes.


def valid_orders(order_types: Iterable[str] = ORDER_TYPES) -> st.SearchStrategy[bytes]:
    """Orders that keep every documented limit, of these types, as some client would write them.

    They have realistic values; what is optional may be absent, and children stand in any order.
    """
    return st.builds(written, valid_trees(tuple(order_types)), _layouts)


def order_of(order_type: str) -> st.SearchStrategy[bytes]:
    """Valid orders of this type, named as the specification does."""
    return valid_orders([order_type])


def wild_orders() -> st.SearchStrategy[bytes]:
    """Orders that `read_order` admits and that keep no limit at all.

    Values are anything that XML can hold; elements are absent, misplaced, unknown, empty, under
    every spelling, with attributes, with comments between them, and with blanks around values.
    """
    return st.builds(written, wild_trees(), _layouts)


_layouts = st.sampled_from(list(LAYOUTS.values()))
