"""HOST:PORT as users write it, and what is said when it cannot be listened on."""

from __future__ import annotations

import errno
import re
from dataclasses import dataclass

from ordertape.errors import StartUpError

_LISTEN = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.%]+)\]|(?P<host>[^:\[\]\s]*)):(?P<port>[0-9]{1,5})")
_LAST_PORT = 65535


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen. An empty host means every interface; port 0 means any free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse_address(text: str, option: str) -> Address:
    """Read HOST:PORT, an IPv6 host in brackets. Errors: StartUpError names the option."""
    found = _LISTEN.fullmatch(text)
    if found is None or int(found["port"]) > _LAST_PORT:
        raise StartUpError(
            f"{option} {text} is not HOST:PORT; write it like 127.0.0.1:8080 or [::1]:8080."
        )
    return Address(found["six"] or found["host"], int(found["port"]))


def cannot_listen(address: Address, option: str, error: OSError) -> StartUpError:
    """The sentence for a failed bind."""
    if error.errno == errno.EADDRINUSE:
        return StartUpError(
            f"{address} is in use by another program; end that, or name another with {option}."
        )
    reason = error.strerror or str(error)
    return StartUpError(
        f"The gateway cannot listen on {address} ({reason}); name another with {option}."
    )
