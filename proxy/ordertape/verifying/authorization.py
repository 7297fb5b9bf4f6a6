"""The credentials that requests are sent with: given by who verifies, never by a recording."""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import suppress
from dataclasses import dataclass

from ordertape.errors import StartUpError

__all__ = ["Authorization"]

_VALUE = re.compile(r"(?P<scheme>[A-Za-z0-9!#$%&'*+.^_`|~-]+) +(?P<credentials>[!-~][ -~]*)")
_SHORTEST = 4  # characters: what is shorter is in any text


@dataclass(frozen=True, slots=True)
class Authorization:
    """A value of the header, and what of it is secret wherever an answer repeats it."""

    value: bytes
    secrets: tuple[str, ...]

    def __repr__(self) -> str:
        return "<Authorization>"

    @classmethod
    def of(cls, text: str, where: str) -> Authorization:
        """The value in a text. Errors: StartUpError, which says `where` it is and not what."""
        found = _VALUE.fullmatch(text.strip())
        if found is None:
            raise StartUpError(
                f"{where} holds no value of Authorization; write one line, the scheme and the "
                "credentials, such as `Basic dXNlcjpwYXNzd29yZA==`."
            )
        secrets = [found["credentials"]]
        if found["scheme"].lower() == "basic":
            with suppress(binascii.Error, UnicodeDecodeError):  # they are sent as they are
                secrets.append(base64.b64decode(found["credentials"]).decode())
        told = (secret for secret in secrets if len(secret) >= _SHORTEST)
        return cls(found[0].encode(), tuple(told))
