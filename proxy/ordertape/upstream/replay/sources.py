"""What was recorded, wherever it lies: stores are read in place, cassettes from a scratch store.

Sources are only read. A folder means every cassette and every store in it and below, in order of
name.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from ordertape import cassette
from ordertape.admission import Policy
from ordertape.cassette.interaction import Interaction
from ordertape.cassette.storing import into_store
from ordertape.errors import StartUpError
from ordertape.redaction import Redaction
from ordertape.upstream.replay.keys import Store

__all__ = ["Source", "files", "opened"]

_CASSETTES = frozenset({".yaml", ".yml", ".json", ".har"})
_STORES = frozenset({".db", ".sqlite", ".sqlite3"})
_SQLITE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Source:
    """A store to read, and what its exchanges are called by whoever reads of them.

    Only exchanges up to the number `last` are taken from it; their turns are their numbers and
    `base` more. `origins` are the cassettes that were put into it: the number of the first exchange
    of each, and its name; empty for a store that was named itself.
    """

    reader: Store
    path: Path
    base: int
    last: int
    origins: Sequence[tuple[int, Path]] = ()

    def name(self, seq: int, ident: str) -> str:
        """Which recording this is: of a cassette by number, of a store by its id."""
        if not self.origins:
            return f"exchange {ident} of {self.path}"
        first, path = self.origins[bisect_right(self.origins, seq, key=lambda one: one[0]) - 1]
        return f"interaction {seq - first + 1} of {path}"


def files(sources: Iterable[Path]) -> list[Path]:
    """Every file that is meant, folders opened. Errors: StartUpError."""
    found: list[Path] = []
    for source in sources:
        if source.is_dir():
            inside = sorted(path for path in source.rglob("*") if _is_recording(path))
            if not inside:
                raise StartUpError(
                    f"There is no cassette and no store in {source}; name another folder, or "
                    "record with `ordertape serve`."
                )
            found += inside
        elif source.is_file():
            found.append(source)
        else:
            raise StartUpError(
                f"There is no recording {source}; name a store that `ordertape serve` has "
                "written, a cassette, or a folder of them."
            )
    return found


def opened(
    sources: Sequence[Path], policy: Policy, redaction: Redaction, folder: Path, stack: ExitStack
) -> list[Source]:
    """Every source, in turn; what has to be converted goes into `folder`. Errors: StartUpError."""
    found: list[Source] = []

    def add(path: Path, *origins: tuple[int, Path]) -> None:
        reader = stack.enter_context(Store(path))
        base = found[-1].base + found[-1].last if found else 0
        found.append(Source(reader, path, base, reader.last(), origins))

    for number, (is_store, paths) in enumerate(groupby(files(sources), _is_store)):
        if is_store:
            for path in paths:
                add(path)
            continue
        scratch = folder / f"cassettes-{number}.db"
        origins: list[tuple[int, Path]] = []
        into_store(scratch, _read(paths, origins), policy, redaction, keep_answers=True)
        add(scratch, *origins)
    return found


def _read(paths: Iterable[Path], origins: list[tuple[int, Path]]) -> Iterator[Interaction]:
    """One cassette after the other; each is noted with the number that its first one will have."""
    number = 1
    for path in paths:
        origins.append((number, path))
        for interaction in cassette.load(path):
            yield interaction
            number += 1


def _is_recording(path: Path) -> bool:
    suffix = path.suffix.lower()
    return path.is_file() and (suffix in _CASSETTES or (suffix in _STORES and _is_store(path)))


def _is_store(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE
