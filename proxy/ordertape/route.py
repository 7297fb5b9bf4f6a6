"""Which requests are orders, judged from the raw path alone.

An order is a POST whose path ends, as written, in `/accounts/{accountId}/orders`. A POST that
only becomes one in the reading of some server (percent-decoding, dot segments, repeated slashes,
parameters, letter case) is refused: rules and quotas could be walked round otherwise.
Source: http-intermediary.md T4; the design's Wire fidelity.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from ordertape.errors import BadPathError
from ordertape.model import Kind

_AS_WRITTEN = re.compile(r"(?:/[^/]+)*/accounts/(?P<account>[A-Za-z0-9_-]+)/orders")
_BECOMES = re.compile(r"(?:.*/)?accounts/[^/]+/orders", re.IGNORECASE | re.DOTALL)
_ORDERS_RESOURCE = re.compile(r"(?:/[^/]*)*/accounts/[^/]+/orders(?:/.*)?", re.IGNORECASE)
_ACCOUNT = re.compile(r"/accounts/(?P<account>[A-Za-z0-9_-]+)(?:/|$)")
_ANY_ACCOUNT = re.compile(r"/accounts/([A-Za-z0-9_-]+)", re.IGNORECASE)
_PADDED = re.compile(r"0+[0-9]+")
_CUT = re.compile(r"[?#\0]")  # where a server that has decoded first may see the path's end
_DECODINGS = 5  # each turn peels one layer of %25; more layers than this are never honest


@dataclass(frozen=True, slots=True)
class Route:
    """What a method and a target mean to the gateway.

    `account` is the id as written, None where the path names none. `xml`: the gateway's own
    answers take the API's XML form here. `error` is set where the path is refused outright.
    """

    kind: Kind
    account: str | None
    xml: bool
    error: BadPathError | None = None


def classify(method: str, target: str) -> Route:
    """The route of a request; pure and total, whatever the target holds."""
    path = target.partition("?")[0]
    named = _ACCOUNT.search(path)
    account = named["account"] if named else None
    if method != "POST":
        return Route(Kind.OTHER, account, bool(_ORDERS_RESOURCE.fullmatch(path)))
    readings = _as_servers_read(path)
    written = _AS_WRITTEN.fullmatch(path)
    if written and _PADDED.fullmatch(written["account"]):
        error = BadPathError(
            f"The account {written['account']} is written with leading zeros, and could be read "
            "as another than it is counted for; send it without them."
        )
        return Route(Kind.ORDER, account, xml=True, error=error)
    if written and readings == {path}:
        if path.split("/")[-4:-3] == ["v2"]:
            return Route(Kind.ORDER_V2, written["account"], xml=False)  # its clients speak JSON too
        return Route(Kind.ORDER, written["account"], xml=True)
    if any(_BECOMES.fullmatch(reading) for reading in readings):
        error = BadPathError(
            "The path is not an orders path as written but could be read as one; "
            "send it as …/accounts/{accountId}/orders, with nothing encoded, doubled or appended."
        )
        return Route(Kind.ORDER, account, xml=True, error=error)
    return Route(Kind.OTHER, account, bool(_ORDERS_RESOURCE.fullmatch(path)))


def accounts_named(target: str) -> set[str]:
    """Every account that a server might see in this path, as written or undone in some way."""
    path = target.partition("?")[0]
    readings = {path, *_as_servers_read(path)}
    found = {account for reading in readings for account in _ANY_ACCOUNT.findall(reading)}
    return found | {account.lstrip("0") for account in found if _PADDED.fullmatch(account)}


def _as_servers_read(path: str) -> set[str]:
    """What the path may become where a lenient server undoes all that can be undone."""
    for _ in range(_DECODINGS):
        decoded = unquote(path, errors="replace")
        if decoded == path:
            break
        path = decoded
    return {_resolved(path), _resolved(_CUT.split(path, maxsplit=1)[0])}


def _resolved(path: str) -> str:
    """The path without parameters, blanks, empty segments and dot segments."""
    kept: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        name = segment.partition(";")[0].strip()
        if name == "..":
            del kept[-1:]
        elif name not in {"", "."}:
            kept.append(name)
    return "/" + "/".join(kept)
