"""Where each setting was said: a flag, a variable, or a file and its line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ordertape.config.statements import lines_of
from ordertape.errors import Problem

__all__ = ["Place", "Sources"]


@dataclass(frozen=True, slots=True)
class Place:
    """The layer that sets a key, and in it the flag, the variable or the file."""

    layer: str
    name: str


@dataclass(frozen=True, slots=True)
class Sources:
    """The file that was read, its text, and for each dotted key that is set its place.

    The keys of the highest layer come first.
    """

    file: Path | None = None
    text: str = field(default="", repr=False)
    places: Mapping[str, Place] = field(default_factory=dict, repr=False)

    def layer(self, key: str) -> str:
        """The layer that sets a key."""
        place = self.places.get(key)
        return "default" if place is None else place.layer

    def located(self, problems: Iterable[Problem]) -> tuple[Problem, ...]:
        """The problems with their places, each once, those of the file last and in its order."""
        lines = lines_of(self.text)
        found = dict.fromkeys(self._located(problem, lines) for problem in problems)
        return tuple(sorted(found, key=lambda problem: problem.line or 0))

    def _located(self, problem: Problem, lines: Mapping[str, int]) -> Problem:
        if problem.place is not None or not problem.key:
            return problem
        table = problem.key.rpartition(".")[0]
        setting = _nearest(problem.key, self.places) or _nearest(table, self.places)
        if setting is None:
            return problem
        name = self.places[setting].name
        if name != str(self.file):
            return replace(problem, place=name)
        line = lines.get(_nearest(problem.key, lines) or "")
        return replace(problem, place=name, line=line)


def _nearest(key: str, known: Iterable[str]) -> str | None:
    """The key itself, or else the first one within it, or else the innermost one around it."""
    names = dict.fromkeys(known)
    if key in names:
        return key
    within = next((name for name in names if name.startswith(f"{key}.")), None)
    if within is not None:
        return within
    around = [name for name in names if key.startswith(f"{name}.")]
    return max(around, key=len, default=None)
