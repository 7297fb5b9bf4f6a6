"""What is never stored: credentials, cookies and what is configured, replaced by keyed digests.

A digest is `ordertape:KEYID:` and 16 hex digits of HMAC-SHA256 over the secret: equal secrets stay
equal, so that it can be told who did what, and nothing else can be learnt without the key. A value
that already looks like a digest is digested like any other: a client that could send one would
pass for someone else in the audit. Source: reference page durable-audit, section 7.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable, Iterable
from urllib.parse import unquote_plus

from ordertape.model import Headers

__all__ = ["ALWAYS", "DIGEST", "SECRET_NAME", "Redaction"]

ALWAYS = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
"""Header names, lower case, whose values are never stored."""

DIGEST = re.compile(r"ordertape:[0-9a-f]{8}:[0-9a-f]{16}")
"""What is left of a secret."""

SECRET_NAME = re.compile(r"password|passphrase|secret|token|credential|api_?key", re.IGNORECASE)
"""Names of what nobody else need see."""

_URLS = frozenset({b"referer", b"location", b"content-location"})
"""They may repeat the target of another request, secrets and all."""

_SCHEMES = frozenset(
    b"basic bearer digest dpop hoba mutual negotiate ntlm oauth privatetoken token vapid".split()
)
"""Names that may stand before credentials; any other first word may be part of the secret."""

_SEPARATORS = re.compile(r"([&;])")
_USERINFO = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*://)([^/?#]*)@")


class Redaction:
    """Replaces secrets in headers and targets; names and query keys in any letter case."""

    def __init__(
        self, *, headers: Iterable[str], query_keys: Iterable[str], key: bytes, key_id: str
    ) -> None:
        self._headers = ALWAYS | {name.lower().encode() for name in headers}
        self._query_keys = frozenset(name.lower() for name in query_keys)
        self._touched = self._headers | _URLS
        self._key = key
        self._mark = f"ordertape:{key_id}:"

    def headers(self, headers: Headers) -> Headers:
        """The same lines in the same order, without secrets.

        Of Authorization the scheme stays, of Cookie the names, of Set-Cookie name and attributes.
        """
        if not any(name.lower() in self._touched for name, _ in headers):
            return headers
        return Headers.of((name, self._value(name.lower(), value)) for name, value in headers)

    @property
    def hides_in_queries(self) -> bool:
        """Whether there are query keys whose values are secret."""
        return bool(self._query_keys)

    def fingerprint(self, value: bytes) -> str:
        """The digest of an Authorization's credentials, as the record has it behind the scheme."""
        scheme, space, credentials = value.strip(b" \t").partition(b" ")
        plain = scheme + space + credentials.lstrip(b" ")
        return self._value(b"authorization", plain).rpartition(b" ")[2].decode()

    def target(self, target: str) -> str:
        """The request target with digests for secret query values; else byte for byte the same."""
        return self._with_secrets(
            target, lambda value: self._digest(value.encode("utf-8", "surrogateescape"))
        )

    def constant_target(self, target: str) -> str:
        """The target with `redacted` for secret query values: what a match key is made of."""
        return self._with_secrets(target, lambda _: "redacted")

    def _url(self, value: bytes) -> bytes:
        return self.target(value.decode("latin-1")).encode("latin-1")

    def _digest(self, secret: bytes) -> str:
        return self._mark + hmac.digest(self._key, secret, "sha256").hex()[:16]

    def _value(self, name: bytes, value: bytes) -> bytes:
        if name not in self._headers:
            return self._url(value) if name in _URLS else value
        if name == b"cookie":
            return b";".join(self._cookie(pair) for pair in value.split(b";"))
        if name == b"set-cookie":
            pair, semicolon, attributes = value.partition(b";")
            return self._cookie(pair) + semicolon + attributes
        scheme, space, credentials = value.partition(b" ")
        if space and scheme.lower() in _SCHEMES:
            return scheme + space + self._digest(credentials).encode()
        return self._digest(value).encode()

    def _cookie(self, pair: bytes) -> bytes:
        """One cookie; without an equals sign all of it is the value (RFC 6265bis section 5.6)."""
        name, equals, value = pair.partition(b"=")
        if equals:
            return name + equals + self._digest(value).encode()
        spaces = pair[: len(pair) - len(pair.lstrip())]
        return spaces + self._digest(pair.strip()).encode() if pair.strip() else pair

    def _with_secrets(self, target: str, replaced: Callable[[str], str]) -> str:
        if "@" in target:
            target = _USERINFO.sub(lambda found: f"{found[1]}{replaced(found[2])}@", target)
        if not self._query_keys:
            return target
        path, mark, query = target.partition("?")
        pieces = _SEPARATORS.split(query)
        return path + mark + "".join(self._piece(piece, replaced) for piece in pieces)

    def _piece(self, piece: str, replaced: Callable[[str], str]) -> str:
        name, equals, value = piece.partition("=")
        if equals and unquote_plus(name).lower() in self._query_keys:
            return name + equals + replaced(value)
        return piece
