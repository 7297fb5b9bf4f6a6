"""Orders in sentences: where something is, and what a client said."""

from __future__ import annotations

from collections.abc import Container

from lxml import etree


def nearest(xpath: str, known: Container[str]) -> str:
    """The path itself, or of an element that is absent its nearest known ancestor's; else ""."""
    while xpath and xpath not in known:
        xpath = xpath.rpartition("/")[0]
    return xpath


def line_of(node: etree._Element) -> str:
    """Where a node began, for a sentence."""
    return "no line" if node.sourceline is None else f"line {node.sourceline}"


def shown(value: object, limit: int = 60) -> str:
    """A client's words for a sentence of ours, at most `limit` characters of them."""
    words = str(value)
    return words if len(words) <= limit else f"{words[:limit]}…"
