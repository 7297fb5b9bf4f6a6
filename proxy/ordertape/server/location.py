"""Where a response points: at the gateway instead of the service behind it.

Source: http-intermediary.md H22. Only a reference whose authority is the service's own is
touched, so that a client keeps talking to the gateway; the orders API answers 201 with such a
Location, and its clients read what follows the last slash.
"""

from __future__ import annotations

import re

from ordertape.model import Headers

FIELDS = frozenset({b"location", b"content-location"})
"""The fields whose value is one reference."""

_ABSOLUTE = re.compile(
    rb"(?:(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*):)?//(?P<authority>[^/?#]*)(?P<rest>.*)", re.DOTALL
)
_PORTS = {b"http": b"80", b"https": b"443"}


def rewrite_headers(headers: Headers, upstream: str, own: str, below: str = "") -> Headers:
    """The headers with `Location` and `Content-Location` rewritten, all else as it was.

    `below` is what stands before the path of whatever is the service's: `/~SESSION`.
    """
    if not any(name.lower() in FIELDS for name, _ in headers):
        return headers
    return Headers.of(
        (name, rewrite(value, upstream, own, below) if name.lower() in FIELDS else value)
        for name, value in headers
    )


def rewrite(value: bytes, upstream: str, own: str, below: str = "") -> bytes:
    """`value` with the scheme, authority and base path of `upstream` replaced by those of `own`.

    Both are base URLs. Another authority, a path outside the base path, and a path relative to
    the request's are left alone; a trailing slash is never added.
    """
    base = _ABSOLUTE.fullmatch(upstream.encode("latin-1", "replace"))
    if base is None:
        return value
    prefix = base["rest"].rstrip(b"/")
    there = _ABSOLUTE.fullmatch(value)
    before = below.encode("latin-1")
    if there is None:
        if not value.startswith(b"/") or not _lies_below(prefix, value):
            return value
        return before + value[len(prefix) :]
    if not _same_authority(base, there) or not _lies_below(prefix, there["rest"]):
        return value
    here = own.encode("latin-1", "replace").rstrip(b"/") + before
    return here + there["rest"][len(prefix) :]


def _lies_below(prefix: bytes, path: bytes) -> bool:
    return path.startswith(prefix) and path[len(prefix) : len(prefix) + 1] in b"/?#"


def _same_authority(base: re.Match[bytes], there: re.Match[bytes]) -> bool:
    if base["authority"].lower() == there["authority"].lower():
        return True
    scheme = (base["scheme"] or b"").lower()
    return _host_and_port(base["authority"], scheme) == _host_and_port(
        there["authority"], (there["scheme"] or scheme).lower()
    )


def _host_and_port(authority: bytes, scheme: bytes) -> tuple[bytes, bytes]:
    host, colon, port = authority.lower().rpartition(b":")
    if not colon or not (port.isdigit() or port == b""):
        host, port = authority.lower(), b""
    return host, port or _PORTS.get(scheme, b"")
