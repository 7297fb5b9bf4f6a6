"""Cassettes: files of recorded interactions in the formats of other programs, read and written."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path

from ordertape.cassette import document, har, vcr
from ordertape.cassette.interaction import CassetteError, Interaction

__all__ = ["FORMATS", "CassetteError", "Interaction", "dump", "load"]

FORMATS: Mapping[str, Callable[[Iterable[Interaction]], bytes]] = {
    "vcr": partial(vcr.dump, json=False),
    "vcr-json": partial(vcr.dump, json=True),
    "har": har.dump,
}
"""Every format that is written, by the name that the command line knows it under."""


def load(path: Path) -> list[Interaction]:
    """The interactions of a cassette in its order, whatever its format; told by its content.

    Errors: CassetteError, one sentence with file and line, where it cannot be read, is damaged or
    cut short, or holds what no cassette may.
    """
    read = document.read(document.read_file(path), path)
    return har.interactions(read) if har.is_har(read) else vcr.interactions(read)


def dump(interactions: Iterable[Interaction], format: str) -> bytes:  # noqa: A002 - the option's name
    """The bytes of a cassette in one of `FORMATS`.

    Errors: CassetteError for what the format cannot hold.
    """
    return FORMATS[format](interactions)
