"""From bytes to a tree that every reader understands alike, or to a refusal.

What two parsers may read differently is refused, not repaired: quotas and rules must judge the
order that the service will see. The checks come in the order of xml-threats.md section 3, but
nodes are bounded by counting in the decoded text, and one plain parse follows: the verdicts of a
pull parser at a fraction of its time (performance.md, point 6).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable, Iterator
from itertools import chain

from lxml import etree

from ordertape.errors import (
    AmbiguousElementError,
    ForbiddenXmlError,
    MalformedError,
)
from ordertape.order.decoding import decoded
from ordertape.order.names import (
    CONTAINERS,
    ORDER_TYPES,
    REPEATABLE,
    SPECIFIED,
    VALUES,
    case_variant_of,
    specified,
)
from ordertape.order.parsing import TOLERATED_NAMESPACES, XML_BLANKS, is_familiar, parsed
from ordertape.order.structure import Filled, outlined, recognised, remembered
from ordertape.order.survey import Survey
from ordertape.order.telling import line_of, shown

_MAX_DEPTH = 32
_DEPTH_OF_TYPES = 2
_MAX_NODES = 20_000
_MAX_ATTRIBUTES = 32
_MAX_NAME = 128  # characters
_MAX_VALUE = 1 << 16  # characters
_MAX_COMMENT = 1 << 12  # characters
_MAX_NAMES = 256
_SHORTEST_NODE = len("<a/>")

_NAME_ENDS = re.compile(r"[\s>/!?]")
_NO_DTD = "There is a DOCTYPE or an ENTITY in the XML; send the order without."
_RESOURCE_LIMIT = 114  # xmlParserErrors of libxml2, which lxml has no name for
_LIMIT_ERRORS = (etree.ErrorTypes.ERR_NAME_TOO_LONG, _RESOURCE_LIMIT)


def media_type_ok(content_type: bytes | None, body: bytes) -> bool:
    """Whether the body of an order may be read as XML.

    The XML types, an absent one, and form data that begins with `<`: what `curl -d` sends.
    """
    media_type = (content_type or b"").partition(b";")[0].strip().lower()
    if media_type == b"application/x-www-form-urlencoded":
        return body.removeprefix(codecs.BOM_UTF8).lstrip(b" \t\r\n").startswith(b"<")
    return media_type in {b"", b"application/xml", b"text/xml"} or media_type.endswith(b"+xml")


def read_root(
    body: bytes, content_type: bytes | None, fallback: str | None
) -> tuple[etree._Element, Survey | Filled, str | None]:
    """The root of an order, what is where in it, and the charset that it claimed.

    There is a charset only where `fallback` alone could read it. Errors: as `read_order`.
    """
    text, plain, claimed = decoded(body, content_type, fallback)
    outline = outlined(text)
    filled = None if outline is None else recognised(outline)
    if filled is not None:
        return _well_formed(plain, familiar=True), filled, claimed
    root, strange = _parsed(text, plain)
    _check_root(root)
    if "<?" in strange:
        _check_instructions(root)
    if "<!--" in strange:
        _check_comments(root)
    if "=" in strange:
        _check_attributes(root, strange)
    found = Survey()
    _check_children(root, 1, found)
    if outline is not None and not strange:
        filled = remembered(outline, root, found)
    return root, filled or found, claimed


def read_tree(body: bytes, content_type: bytes | None) -> etree._Element:
    """The root of any XML without a DTD that keeps within the limits; for comparing only.

    Errors: as `read_order`.
    """
    text, plain, _ = decoded(body, content_type, None)
    return _parsed(text, plain)[0]


def _parsed(text: str, plain: bytes) -> tuple[etree._Element, str]:
    """The root, and the text unless it `is_familiar`: then there is nothing to look for in it."""
    _check_text(text)
    familiar = is_familiar(text)
    root = _well_formed(plain, familiar=familiar)
    if familiar:
        return root, ""
    if "<!" in text and root.getroottree().docinfo.internalDTD is not None:
        raise ForbiddenXmlError(_NO_DTD)
    return root, text


def _well_formed(plain: bytes, *, familiar: bool) -> etree._Element:
    try:
        return parsed(plain, familiar=familiar)
    except etree.XMLSyntaxError as error:
        problem = shown(" ".join((error.msg or "no document").split()), 200)
        if error.code in _LIMIT_ERRORS:
            raise ForbiddenXmlError(f"The XML passes a limit ({problem}); simplify it.") from error
        raise MalformedError(f"The body is not well-formed XML ({problem}); correct it.") from error


def _check_text(text: str) -> None:
    """What can be told from the text: no DTD, not too many nodes, attributes or names."""
    if "<!" in text and ("<!DOCTYPE" in text or "<!ENTITY" in text):
        raise ForbiddenXmlError(_NO_DTD)
    if len(text) < _MAX_NAMES * _SHORTEST_NODE:
        return
    nodes = text.count("<") - text.count("</") + text.count("=")
    if nodes > _MAX_NODES:
        raise ForbiddenXmlError(f"The XML has over {_MAX_NODES} nodes; send smaller orders.")
    if nodes > _MAX_NAMES and len(_names(text)) > _MAX_NAMES:
        raise ForbiddenXmlError(f"The XML has over {_MAX_NAMES} different names; use fewer.")


def _names(text: str) -> set[str]:
    """What may be names of elements and attributes: all of those, and perhaps other words.

    One search through the whole text would hold up the other threads; these are short steps.
    """
    names = {_NAME_ENDS.split(piece, 1)[0] for piece in text.split("<")}
    for piece in text.split("="):
        names.update(piece.rsplit(None, 1)[1:])  # a name before `=` stands behind a blank
    return names


# What the tree may hold.


def _check_root(root: etree._Element) -> None:
    if root.tag == "Order":
        return
    _check_name(root, str(root.tag))
    raise MalformedError(
        f"The root is <{shown(root.tag)}> in {line_of(root)}; it must be <Order>.", node=root
    )


def _check_instructions(root: etree._Element) -> None:
    """None anywhere, but `<?` may stand in a comment or a CDATA section."""
    for instruction in _everywhere(root, etree.ProcessingInstruction):
        raise ForbiddenXmlError(
            f"There is a processing instruction in {line_of(instruction)}; leave it out.",
            node=instruction,
        )


def _check_comments(root: etree._Element) -> None:
    """None too long, beside the root or in it."""
    for comment in _everywhere(root, etree.Comment):
        if len(comment.text or "") > _MAX_COMMENT:
            raise ForbiddenXmlError(
                f"The comment in {line_of(comment)} is over {_MAX_COMMENT} characters long; "
                "shorten it.",
                node=comment,
            )


def _everywhere(
    root: etree._Element, kind: Callable[..., etree._Element]
) -> Iterator[etree._Element]:
    """All nodes of a kind, before the root, in it and behind it."""
    before = root.itersiblings(kind, preceding=True)
    return chain(before, root.iter(kind), root.itersiblings(kind))


def _check_attributes(root: etree._Element, text: str) -> None:
    """No foreign namespace, not even declared, but for the two that C# declares unused."""
    _check_namespaces(root)
    if text.count("=") == len(root.nsmap):
        return  # what the root declares is all there is
    for element in root.iter(etree.Element):
        _check_namespaces(element)
        attributes = element.items()
        if len(attributes) > _MAX_ATTRIBUTES:
            raise ForbiddenXmlError(
                f"<{shown(element.tag)}> in {line_of(element)} has over {_MAX_ATTRIBUTES} "
                "attributes; send fewer.",
                node=element,
            )
        for name, value in attributes:
            foreign = str(name).startswith("{")
            if foreign or len(name) > _MAX_NAME or len(value) > _MAX_VALUE:
                raise ForbiddenXmlError(
                    f"The attribute {shown(name)} of <{shown(element.tag)}> in "
                    f"{line_of(element)} is foreign or too long; leave it out.",
                    node=element,
                )


def _check_namespaces(element: etree._Element) -> None:
    for prefix, uri in element.nsmap.items():
        if TOLERATED_NAMESPACES.get(prefix) != uri:
            raise ForbiddenXmlError(
                f"<{shown(element.tag)}> in {line_of(element)} declares the namespace "
                f"{shown(uri)}; send the order without namespaces.",
                node=element,
            )


def _check_children(parent: etree._Element, depth: int, survey: Survey) -> None:
    """Names, nesting and values below `parent`, which is at this depth; the root's is 1.

    What is there is noted in the survey on the way.
    """
    met = _entered(parent, depth, survey)
    for child in parent:
        tail = child.tail
        if tail and tail.strip(XML_BLANKS):
            raise _text_between(parent)
        tag = child.tag
        if not isinstance(tag, str):
            continue  # a comment: instructions and entities have been refused
        name = SPECIFIED.get(tag)
        if name is None:
            _check_name(child, tag)
        elif name in met or name == "Order":
            raise AmbiguousElementError(
                f"<{tag}> in {line_of(child)} is there already; send it once.", node=child
            )
        elif name not in REPEATABLE:
            met[name] = child
        if len(child) or name in CONTAINERS:
            if name in VALUES:
                raise ForbiddenXmlError(
                    f"<{tag}> in {line_of(child)} holds an element or a comment; "
                    "send a value only.",
                    node=child,
                )
            _check_children(child, depth + 1, survey)
            continue
        value = child.text
        if value and (len(value) > _MAX_VALUE or value.strip(XML_BLANKS) != value):
            _check_value(child, value, survey)


def _entered(parent: etree._Element, depth: int, survey: Survey) -> dict[str, etree._Element]:
    """Where the children of `parent` are noted: in the survey if it is the order or its type."""
    if depth >= _MAX_DEPTH:
        raise ForbiddenXmlError(
            f"<{shown(parent.tag)}> in {line_of(parent)} nests over {_MAX_DEPTH} deep; flatten it.",
            node=parent,
        )
    text = parent.text
    if text and text.strip(XML_BLANKS):
        raise _text_between(parent)
    children: dict[str, etree._Element] = {}
    if depth == 1:
        survey.stated[parent] = children
    elif depth == _DEPTH_OF_TYPES and specified(str(parent.tag)) in ORDER_TYPES:
        survey.stated[parent] = children
        survey.types.append(parent)
    return children


def _check_value(leaf: etree._Element, value: str, survey: Survey) -> None:
    """A value that is too long, or has blanks around it."""
    if len(value) > _MAX_VALUE:
        raise ForbiddenXmlError(
            f"<{shown(leaf.tag)}> in {line_of(leaf)} holds over {_MAX_VALUE} characters; "
            "shorten it.",
            node=leaf,
        )
    survey.padded.append(leaf)


def _text_between(parent: etree._Element) -> ForbiddenXmlError:
    """The refusal of text beside elements: what it means depends on the reader."""
    return ForbiddenXmlError(
        f"<{shown(parent.tag)}> in {line_of(parent)} holds text outside its elements; "
        "send elements or a value, not both.",
        node=parent,
    )


def _check_name(element: etree._Element, tag: str) -> None:
    """A name that is not the specification's: unknown is fine, foreign or misspelt is not."""
    if tag.startswith("{"):
        raise ForbiddenXmlError(
            f"<{shown(tag)}> in {line_of(element)} is in a namespace; send it without one.",
            node=element,
        )
    if len(tag) > _MAX_NAME:
        raise ForbiddenXmlError(
            f"The name <{shown(tag)}> in {line_of(element)} is over {_MAX_NAME} characters long; "
            "shorten it.",
            node=element,
        )
    meant = case_variant_of(tag)
    if meant is not None:
        raise AmbiguousElementError(
            f"<{tag}> in {line_of(element)} is written <{meant}>; send it so.", node=element
        )
