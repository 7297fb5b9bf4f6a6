"""Interactions as a cassette that vcrpy loads, and plays to every client that it knows."""

from __future__ import annotations

import json as jsons
import re
from collections.abc import Iterable
from typing import Any

import yaml

from ordertape.cassette.coded import Inflating, coding_of, without_coding
from ordertape.cassette.interaction import CassetteError, Interaction
from ordertape.cassette.values import WrongError
from ordertape.model import Headers

__all__ = ["dump"]


_BREAKS = re.compile("[\x85\u2028\u2029]")


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc] # either one
    """Block scalars for text of several lines, no aliases, whatever repeats."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True


def _represent(dumper: Any, text: str) -> yaml.ScalarNode:  # noqa: ANN401 - either dumper
    """A wish: where a block would not give the same text back, PyYAML writes it quoted.

    Not so, in its Python form, for breaks that only YAML takes for such.
    """
    style = "|" if "\n" in text else None
    if _BREAKS.search(text):
        style = '"'
    node: yaml.ScalarNode = dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return node


_Dumper.add_representer(str, _represent)


def dump(interactions: Iterable[Interaction], *, json: bool) -> bytes:
    """A cassette that vcrpy loads and plays, in its order of keys.

    An answer's body is written without its content coding, as `decode_compressed_response` does:
    vcrpy plays anything else to httpx or to aiohttp, never to both.
    Errors: CassetteError for what JSON cannot hold, and for a damaged compressed body.
    """
    inflating = Inflating()
    entries = [
        _entry(number, interaction, inflating) for number, interaction in enumerate(interactions, 1)
    ]
    if not json:
        whole = {"interactions": entries, "version": 1}
        written: bytes = yaml.dump(
            whole, Dumper=_Dumper, allow_unicode=True, width=2**30, encoding="utf-8"
        )
        return written
    for number, entry in enumerate(entries, 1):
        _check_text(number, entry)
    return (jsons.dumps({"version": 1, "interactions": entries}, indent=4) + "\n").encode()


def _entry(number: int, interaction: Interaction, inflating: Inflating) -> dict[str, Any]:
    """Keys in vcrpy's order of JSON; YAML is sorted."""
    try:
        headers, body = _plain(interaction, inflating)
    except WrongError as error:
        raise CassetteError(
            f"Interaction {number} ({interaction.method} {interaction.url}): {error}"
        ) from error
    return {
        "request": {
            "method": interaction.method,
            "uri": interaction.url,
            "body": _text(interaction.request_body) or None,
            "headers": _mapping(interaction.request_headers),
        },
        "response": {
            "status": {"code": interaction.status, "message": _text(interaction.reason)},
            "headers": _mapping(headers),
            "body": {"string": _text(body)},
        },
    }


def _plain(interaction: Interaction, inflating: Inflating) -> tuple[Headers, bytes]:
    """The answer without its content coding, where that is known."""
    headers = inflating.honest(
        interaction.method, interaction.status, interaction.headers, interaction.body
    )
    coding = coding_of(headers)
    if coding is None or not interaction.body:
        return headers, interaction.body
    plain = inflating.decoded(interaction.body, coding)
    if plain is None:
        return headers, interaction.body
    return without_coding(headers, len(plain)), plain


def _text(raw: bytes) -> str | bytes:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw


def _mapping(headers: Headers) -> dict[str, list[str | bytes]]:
    """Name to values; sorted by name, as vcrpy's YAML is."""
    lines: dict[str, list[str | bytes]] = {}
    for name, value in headers:
        lines.setdefault(name.decode("latin-1"), []).append(_text(value))
    return dict(sorted(lines.items()))


def _check_text(number: int, entry: dict[str, Any]) -> None:
    response, request = entry["response"], entry["request"]
    values = [request["body"], response["body"]["string"], response["status"]["message"]]
    values += [
        one for half in (request, response) for held in half["headers"].values() for one in held
    ]
    if any(isinstance(value, bytes) for value in values):
        raise CassetteError(
            f"Interaction {number} ({request['method']} {request['uri']}) holds bytes that are no "
            "UTF-8, which vcrpy's JSON cannot hold; export it as YAML (vcr) or HAR."
        )
