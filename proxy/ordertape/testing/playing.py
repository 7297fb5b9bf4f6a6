"""A gateway that a test has been given, and what is said of the test's requests afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ordertape.testing.taping import Tape
from ordertape.upstream.replay import Playback

__all__ = ["Playing", "Reaction"]

Reaction = Literal["fail", "report"]
"""Whether a test that passes otherwise fails, or the matter is only told when it fails anyway."""

_MOST_TOLD = 20
"""Misses or unused recordings that are named; the rest is counted."""

_OPTIONS = 'Options are keywords here: --ignore X is ignore=["X"], --match-header X headers=["X"].'


@dataclass(slots=True)
class Playing:
    """A running gateway: its URL, and what became of the requests to it.

    `found` is whether there was a cassette to begin with; `playback` is None where a miss is
    recorded, and `tape` where nothing is. `stop` stops the gateway.
    """

    url: str
    sources: tuple[Path, ...]
    found: bool
    playback: Playback | None
    tape: Tape | None
    stop: Callable[[], None]
    _left: tuple[str, ...] | None = None

    def end(self) -> None:
        """Stop the gateway; what became of the requests can be asked on."""
        self._left = self.unused()
        self.stop()

    def missed(self) -> tuple[str, ...]:
        """What was told of each request that had no recording, with how often it came."""
        if self.playback is None:
            return ()
        return tuple(
            text if times == 1 else f"{text}\n({times} times)"
            for text, times in self.playback.misses.items()
        )

    def unused(self) -> tuple[str, ...]:
        """The names of the recordings that nothing has asked for."""
        if self._left is not None:
            return self._left
        return () if self.playback is None else tuple(self.playback.unused())

    def unwritten(self) -> str | None:
        """Why the cassette could not be written, where it could not."""
        return None if self.tape is None else self.tape.failure

    def complaint(self, *, missed: Reaction = "fail", unused: Reaction = "report") -> str:
        """Why a test that found no fault itself fails all the same; "" where it does not."""
        fails = (
            self.unwritten() is not None
            or (missed == "fail" and self.missed())
            or (unused == "fail" and self.unused())
        )
        return self.told() if fails else ""

    def told(self) -> str:
        """Everything that is to be known, for people; "" where there is nothing to tell."""
        lines: list[str] = []
        if self.unwritten() is not None:
            lines.append(f"Nothing more was recorded: {self.unwritten()}")
        if self.missed():
            lines += _listed("Requests without a recording:", self.missed())
            if not self.found:
                lines.append(_missing(self.sources))
            if any("--" in text for text in self.missed()):
                lines.append(_OPTIONS)
        if self.unused():
            lines += _listed("Recordings that were not asked for:", self.unused())
        return "\n".join(_shown(line) for line in lines)


def _missing(sources: tuple[Path, ...]) -> str:
    return f"There is no cassette {sources[0]}; record it with --record-mode=once."


def _listed(heading: str, texts: tuple[str, ...]) -> Iterator[str]:
    yield heading
    for text in texts[:_MOST_TOLD]:
        first, *others = text.split("\n")
        yield f"  - {first}"
        yield from (f"    {line}" for line in others)
    if len(texts) > _MOST_TOLD:
        yield f"  and {len(texts) - _MOST_TOLD} more"


def _shown(line: str) -> str:
    """A line as it may be printed: a recorded answer must not steer the terminal."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in line)
