"""From bytes to text in the one charset that all agree on, or to a refusal."""

from __future__ import annotations

import codecs
import functools
import re

from ordertape.errors import ForbiddenXmlError, MalformedError, TooLargeError, UnsupportedTypeError
from ordertape.order.telling import shown

_MAX_BYTES = 1 << 20
_CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")
_CHARSET = re.compile(rb";\s*charset\s*=\s*\"?([^\";\s]*)", re.IGNORECASE)
_DECLARATION = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*(?P<v>[\"'])(?P<version>[0-9.]+)(?P=v)"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*(?P<e>[\"'])(?P<encoding>[A-Za-z0-9._-]+)(?P=e))?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*(?P<s>[\"'])(?:yes|no)(?P=s))?"
    rb"[ \t\r\n]*\?>"
)
_DECLARATION_BEGINS = (b"<?xml ", b"<?xml\t", b"<?xml\r", b"<?xml\n", b"<?xml?")
_LONGEST_DECLARATION = 256  # bytes
_LONGEST_REMEMBERED = 256  # bytes
_BLANKED = bytes(byte if byte in b"\r\n" else 0x20 for byte in range(256))
_GZIP = b"\x1f\x8b"
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)  # UTF-32 begins with one of them or a NUL


def decoded(
    body: bytes, content_type: bytes | None, fallback: str | None
) -> tuple[str, bytes, str | None]:
    """The text and its UTF-8 bytes, blanks where the declaration was: places stay true.

    Mark, charset parameter and declaration have to agree (RFC 7303 section 3 ranks them). Third is
    the charset that was claimed if the bytes were not of it, and `fallback` read them instead.
    """
    if len(body) > _MAX_BYTES:
        raise TooLargeError(f"The body passes {_MAX_BYTES} bytes; send a smaller order.")
    _check_beginning(body)
    marked = body.startswith(codecs.BOM_UTF8)
    if marked:
        body = body.removeprefix(codecs.BOM_UTF8)
    declaration = b""
    if body.startswith(_DECLARATION_BEGINS):
        declaration = body[: body.find(b"?>", 0, _LONGEST_DECLARATION) + 2]
    content_type = content_type or b""
    # Only what is short is remembered: a header may be as long as all of them together.
    said = _said if len(content_type) <= _LONGEST_REMEMBERED else _said.__wrapped__
    charset, blanks = said(marked, content_type, declaration)
    if blanks:
        body = blanks + body[len(blanks) :]
    claimed = None
    try:
        text = body.decode(charset)
    except UnicodeDecodeError as error:
        if fallback is None or marked or charset != "utf-8":
            line = body.count(b"\n", 0, error.start) + 1
            raise MalformedError(
                f"The byte 0x{body[error.start]:02X} in line {line} is not {charset}; "
                "encode the order as it says it is."
            ) from error
        claimed, charset = charset, fallback
        text = body.decode(charset)
    if text.startswith("\ufeff"):
        raise MalformedError("The body begins with two byte order marks; send one or none.")
    return text, text.encode() if charset == "iso-8859-1" else body, claimed


def _check_beginning(body: bytes) -> None:
    if body.startswith(_GZIP):
        raise UnsupportedTypeError("The body is gzip; send it with Content-Encoding: gzip, once.")
    if body.startswith(_UTF_16) or b"\0" in body[:4]:
        raise UnsupportedTypeError("The body is UTF-16 or UTF-32; send the order as UTF-8.")


@functools.lru_cache(maxsize=32)
def _said(marked: bool, content_type: bytes, declaration: bytes) -> tuple[str, bytes]:  # noqa: FBT001 - one of the three places
    """The one charset that mark, header and declaration name, and blanks for the declaration.

    Remembered, because a client says the same of every order.
    """
    named = {"utf-8": "the byte order mark"} if marked else {}
    for value in _CHARSET.findall(content_type):
        named.setdefault(value.decode("latin-1").lower(), "Content-Type")
    length, encoding = _declared(declaration) if declaration else (0, None)
    if encoding is not None:
        named.setdefault(encoding, "the XML declaration")
    return _agreed(named), declaration[:length].translate(_BLANKED)


def _declared(text: bytes) -> tuple[int, str | None]:
    """The length of an XML declaration and the encoding that it names."""
    declaration = _DECLARATION.match(text)
    if declaration is None:
        raise MalformedError("The XML declaration is malformed; correct it or leave it out.")
    if declaration["version"] != b"1.0":
        version = shown(declaration["version"].decode())
        raise ForbiddenXmlError(f"The XML declaration says version {version}; send XML 1.0.")
    encoding = declaration["encoding"]
    return declaration.end(), None if encoding is None else encoding.decode().lower()


def _agreed(named: dict[str, str]) -> str:
    """The one charset that is named, by whichever place; UTF-8 where none is."""
    for charset, place in named.items():
        if charset not in _CHARSETS:
            raise UnsupportedTypeError(
                f"The charset {shown(charset)!r} in {place} is not taken; send the order as UTF-8."
            )
    if len(named) > 1:
        said = " but ".join(f"{place} says {charset}" for charset, place in named.items())
        raise ForbiddenXmlError(f"The charset is in doubt: {said}; name the true one only.")
    return next(iter(named), "utf-8")
