"""Recordings on a port, for any test framework: `with replaying("orders.yaml") as url`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Literal

from ordertape.errors import StartUpError
from ordertape.testing.bench import Wanted, shared
from ordertape.testing.playing import Reaction
from ordertape.upstream.replay import Repeat

__all__ = ["MissedError", "replaying"]


class MissedError(AssertionError):
    """Something was asked for that is not in the recordings; the text explains each miss."""


@contextmanager
def replaying(
    *sources: str | PathLike[str],
    ignore: Sequence[str] | None = None,
    headers: Sequence[str] | None = None,
    element_order: Literal["any", "significant"] | None = None,
    repeat: Repeat | None = None,
    config: str | PathLike[str] | None = None,
    missed: Reaction = "fail",
    unused: Reaction = "report",
) -> Iterator[str]:
    """Answer from these cassettes, stores, and folders of them; the URL of it, without a `/`.

    Nothing is ever called: what has no recording is answered 409 (404 where its path is unknown)
    with the nearest recording, and raises MissedError when the block ends, unless `missed` is
    `report`; `unused` is the same for recordings that nothing asked for. Where the block itself
    raises, the explanation is a note on its exception. `ignore`, `headers`, `element_order` and
    `repeat` are the settings of these names, None as configured in `config`, by default
    `ordertape.toml` where there is one. Errors: StartUpError, MissedError.
    """
    paths = tuple(Path(source) for source in sources)
    for path in paths:
        if not path.exists():
            raise StartUpError(f"There is no recording {path}; correct the path, or record it.")
    playing = shared().play(
        Wanted(
            sources=paths,
            ignore=None if ignore is None else tuple(ignore),
            headers=None if headers is None else tuple(headers),
            element_order=element_order,
            repeat=repeat,
            config=None if config is None else Path(config),
        )
    )
    try:
        try:
            yield playing.url
        except Exception as error:
            if told := playing.told():
                error.add_note(told)
            raise
        if complaint := playing.complaint(missed=missed, unused=unused):
            raise MissedError(complaint)
    finally:
        playing.end()
