"""Which header fields concern one connection only, and stay behind at the gateway.

Sources: RFC 9110 sections 7.6.1 and 11.7; http-intermediary.md H1-H3. A field that `Connection`
names is dropped too, unless it is one of the protected: dropping those on a client's word would
change who asks, for what, or how the body is read (compare CVE-2022-31813). Such a nomination is
ignored, not refused: a gateway that is dropped in must not break a client that worked.
"""

from __future__ import annotations

from ordertape.model import Headers

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Never forwarded, in either direction."""

REQUEST_HOPS = HOP_BY_HOP | {b"expect", b"http2-settings"}
"""Never forwarded in a request: the gateway answers 100-continue itself, and offers no upgrade."""

PROTECTED = frozenset(
    {
        b"authorization",
        b"cache-control",
        b"cookie",
        b"date",
        b"digest",
        b"etag",
        b"forwarded",
        b"host",
        b"idempotency-key",
        b"location",
        b"max-forwards",
        b"origin",
        b"range",
        b"referer",
        b"repr-digest",
        b"retry-after",
        b"set-cookie",
        b"signature",
        b"signature-input",
        b"user-agent",
        b"vary",
        b"via",
        b"www-authenticate",
    }
)
"""Fields that every recipient reads: `Connection` cannot nominate them."""

PROTECTED_PREFIXES = (
    b"accept",
    b"content-",
    b"if-",
    b"ordertape-",
    b"x-api-",
    b"x-auth",
    b"x-forwarded-",
    b"x-ratelimit-",
    b"x-real-ip",
    b"x-request-id",
)
"""Families of such fields."""


def end_to_end(headers: Headers) -> Headers:
    """The fields of a request that travel on; order, spelling and repeats are kept."""
    return headers.without(REQUEST_HOPS | _nominated(headers))


def end_to_end_response(headers: Headers) -> Headers:
    """The fields of a response that travel on; order, spelling and repeats are kept."""
    return headers.without(HOP_BY_HOP | _nominated(headers))


def _nominated(headers: Headers) -> set[bytes]:
    return {
        name
        for name in headers.tokens(b"connection")
        if name not in PROTECTED and not name.startswith(PROTECTED_PREFIXES)
    }
