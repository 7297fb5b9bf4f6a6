"""Recorded URLs in two: the base of a service, and what was asked of it."""

from __future__ import annotations

import re
from collections.abc import Iterable

__all__ = ["behind", "split"]

_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<authority>[^/?#]*)(?P<rest>[^#]*)", re.DOTALL
)


def behind(url: str, bases: Iterable[str]) -> tuple[str, str] | None:
    """The longest of `bases` that a URL begins with, and what follows it as a target; or None."""
    for base in sorted(bases, key=len, reverse=True):
        stem = base.removesuffix("/")
        if url.startswith(stem) and url[len(stem) : len(stem) + 1] in {"", "/", "?"}:
            return stem, _rooted(url.removeprefix(stem))
    return None


def split(url: str) -> tuple[str, str] | None:
    """Scheme and authority of a URL, credentials in it left out, and the rest of it as a target.

    None for what is no absolute URL.
    """
    parts = _URL.match(url)
    if parts is None:
        return None
    authority = parts["authority"].rpartition("@")[2]
    return f"{parts['scheme']}://{authority}", _rooted(parts["rest"])


def _rooted(rest: str) -> str:
    return rest if rest.startswith("/") else f"/{rest}"
