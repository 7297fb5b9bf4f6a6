"""Which replay session a request belongs to: as a header says, or the beginning of its path.

What names it is taken away before the request is handed on, so that it is found and recorded like
any other.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ordertape.errors import MalformedError
from ordertape.model import Request

__all__ = ["HEADER", "PREFIX", "taken"]

HEADER = b"Ordertape-Session"
PREFIX = "/~"

_NAME = r"[A-Za-z0-9._-]{1,128}"
_PATH = re.compile(rf"{re.escape(PREFIX)}(?P<name>{_NAME})(?=[/?]|$)")


def taken(request: Request) -> tuple[Request, str]:
    """The request with its session, and what Location must have put back before its path.

    The path goes before the header. Errors: MalformedError for a header that is no name.
    """
    prefix = ""
    name = ""
    value = request.headers.get(HEADER)
    if value is not None:
        name = value.decode("latin-1")
        if re.fullmatch(_NAME, name) is None:
            raise MalformedError(
                "Ordertape-Session is no name of at most 128 letters, digits, dots, dashes and "
                "underscores; correct it."
            )
        request = replace(request, headers=request.headers.without([HEADER.lower()]))
    if (found := _PATH.match(request.target)) is not None:
        name, prefix = found["name"], found[0]
        rest = request.target[found.end() :]
        request = replace(request, target=rest if rest.startswith("/") else f"/{rest}")
    return replace(request, session=name), prefix
