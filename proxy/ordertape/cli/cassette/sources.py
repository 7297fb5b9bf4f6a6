"""The cassettes that a command is given: files, and folders of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from ordertape.cassette import Interaction, load
from ordertape.cassette.ordinals import Secrets, numbered
from ordertape.config import Settings
from ordertape.errors import StartUpError

__all__ = ["cassettes", "configured_secrets", "publishable"]

_SUFFIXES = frozenset({".har", ".json", ".yaml", ".yml"})


def cassettes(sources: Sequence[Path]) -> Iterator[tuple[Path, list[Interaction]]]:
    """Each cassette, those of a folder in order of name.

    Errors: StartUpError for what is not there, is no cassette, or is damaged.
    """
    for source in sources:
        for path in _files(source):
            yield path, load(path)


def publishable(path: Path, settings: Settings) -> list[Interaction]:
    """The interactions of a cassette, with ordinals for what is secret."""
    return numbered(load(path), configured_secrets(settings))


def configured_secrets(settings: Settings) -> Secrets:
    """What the configuration calls secret."""
    return Secrets(tuple(settings.redact.headers), tuple(settings.redact.query))


def _files(source: Path) -> Sequence[Path]:
    if not source.is_dir():
        return [source]
    found = sorted(path for path in source.rglob("*") if path.suffix.lower() in _SUFFIXES)
    if not found:
        raise StartUpError(
            f"There is no cassette in the folder {source} ({', '.join(sorted(_SUFFIXES))}); "
            "name another."
        )
    return found
