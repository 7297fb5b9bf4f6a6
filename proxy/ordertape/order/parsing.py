"""Parsing that leaves nothing behind: no client's words outlive the tree that holds them.

libxml2 keeps names and more in a dictionary of the thread that parses, for as long as that thread
lives: names of elements, attributes, entities and instructions, URIs, and long runs of blanks. It
gives none back, and is full one day. So a text is parsed in the calling thread only if all that the
dictionary would take in is known beforehand, and any other in a thread that ends with the parse:
then its dictionary goes with the tree.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from itertools import groupby
from operator import itemgetter

from lxml import etree

from ordertape.order.names import SPECIFIED

TOLERATED_NAMESPACES = {
    None: "",
    "xsi": "http://www.w3.org/2001/XMLSchema-instance",
    "xsd": "http://www.w3.org/2001/XMLSchema",
}
"""What may be declared, by prefix: C# declares both of its, and uses neither."""

XML_BLANKS = " \t\r\n"
"""What XML calls white space (XML 1.0 section 2.3); U+00A0 and its kind are text."""

LONGEST_FAMILIAR = 1 << 13
"""The most characters of a familiar text; beyond it, a thread of its own costs next to nothing."""

MOST_BLANKS = 15
"""How many blanks behind a tag are kept in their node, and not in the dictionary."""

_REFERENCES = ("&#", "&amp;", "&lt;", "&gt;", "&quot;", "&apos;")
_XSI, _XSD = (
    f'xmlns:{prefix}="{uri}"' for prefix, uri in TOLERATED_NAMESPACES.items() if prefix is not None
)
# One letter tells most names apart, which takes half as long as a choice from all of them.
_NAME = "|".join(
    f"{letter}(?:{'|'.join(name[1:] for name in names)})"
    for letter, names in groupby(sorted(SPECIFIED), key=itemgetter(0))
)
_DECLARED = "|".join(
    re.escape(f" {said}>") for said in (_XSI, _XSD, f"{_XSI} {_XSD}", f"{_XSD} {_XSI}")
)
_FAMILIAR = re.compile(
    rf"[^<]*+(?:</?(?:{_NAME})(?:>| ?/>|{_DECLARED})(?!\s{{{MOST_BLANKS + 1}}})[^<]*+)*+"
)


class _OfThread(threading.local):
    """A parser is no matter of several threads, and making one takes half as long as its work."""

    def __init__(self) -> None:
        self.parser = etree.XMLParser(
            encoding="utf-8",
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            huge_tree=False,
            recover=False,
            remove_comments=False,
            remove_pis=False,
        )


_of_thread = _OfThread()


def parsed(encoded: bytes, *, familiar: bool) -> etree._Element:
    """The root of an XML document in UTF-8 without a declaration, `is_familiar` or not.

    Errors: etree.XMLSyntaxError.
    """
    if familiar:
        return etree.fromstring(encoded, _of_thread.parser)
    return _alone(lambda: etree.fromstring(encoded, _of_thread.parser))


def copied(root: etree._Element) -> etree._Element:
    """A deep copy of a tree that was parsed here, which leaves as little behind as that."""
    return _alone(lambda: deepcopy(root))


def is_familiar(text: str) -> bool:
    """Whether a text is short, and has no markup but tags of the specification and references.

    All attributes are then the declarations of C#, on `Order`. The parser meets no name that it
    does not know, whatever else is wrong with the text.
    """
    if len(text) > LONGEST_FAMILIAR or _FAMILIAR.fullmatch(text) is None:
        return False
    return "&" not in text or text.count("&") == sum(map(text.count, _REFERENCES))


def _alone(work: Callable[[], etree._Element]) -> etree._Element:
    """What a thread works out that nothing else has used or will use.

    Not even two documents share one: a rename would write to the dictionary beside a parse.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(work).result()


# Threads look names up in the main dictionary: it has to be complete before there are any.
parsed(
    f"<Order {_XSI} {_XSD}>{''.join(f'<{name}/>' for name in SPECIFIED)}</Order>".encode(),
    familiar=True,
)
