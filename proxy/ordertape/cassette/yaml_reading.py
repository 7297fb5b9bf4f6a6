"""YAML as plain values: the parser's events are read one by one, so that nothing can be run.

PyYAML's composer and constructors are not used: they recurse, they take the last of two equal
keys, and what they build from aliases multiplies when it is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from ordertape.cassette.values import TEXT_LIMIT, Plain, Table, WrongError
from ordertape.cassette.vcr_tags import YAML_TAG, tagged

__all__ = ["read_yaml"]

DEPTH_LIMIT = 100
_NUMBER_LIMIT = 64
"""Characters of an unquoted scalar past which it is text."""

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_IMPLICIT = yaml.SafeLoader.yaml_implicit_resolvers


def _untagged(event: yaml.ScalarEvent) -> Any:  # noqa: ANN401 - plain values
    text: str = event.value
    if not event.implicit[0] or len(text) > _NUMBER_LIMIT:
        return text
    for tag, shape in _IMPLICIT.get(text[:1], ()):
        if shape.match(text):
            return None if tag == f"{YAML_TAG}null" else Plain(text)
    return text


@dataclass(slots=True)
class _Open:
    """A collection whose end has not been reached. `weight` is its size, aliases followed."""

    value: Any
    line: int
    tag: str | None = None
    anchor: str | None = None
    key: str | None = None
    weight: int = 1

    def take(self, value: Any, line: int, weight: int) -> None:  # noqa: ANN401 - plain values
        self.weight += weight
        if isinstance(self.value, list):
            self.value.append(value)
        elif self.key is None:
            self._take_key(value, line)
        else:
            self.value[self.key] = value
            self.key = None

    def _take_key(self, value: Any, line: int) -> None:  # noqa: ANN401 - plain values
        key = "null" if value is None else value
        if not isinstance(key, str):
            raise WrongError("A key of a mapping is no text; it is no cassette.", line)
        if isinstance(key, Plain) and key == "<<":
            raise WrongError("Merge keys (<<) are not read; write the fields out.", line)
        if key in self.value:
            raise WrongError(f"The key {ascii(str(key))[:80]} occurs twice; remove one.", line)
        self.key = str(key)


@dataclass(slots=True)
class _Builder:
    """Puts plain values together from events, without recursion."""

    stack: list[_Open] = field(default_factory=lambda: [_Open([], 1)])
    anchors: dict[str, tuple[Any, int]] = field(default_factory=dict)
    repeated: int = 0

    def scalar(self, event: yaml.ScalarEvent, line: int) -> None:
        if len(event.value) > TEXT_LIMIT:
            raise WrongError(
                f"A text passes {TEXT_LIMIT} characters; the cassette is not read.", line
            )
        value = _untagged(event) if event.tag is None else tagged(event.tag, event.value, line)
        self._add(value, line, event.anchor, len(event.value) + 1)

    def alias(self, event: yaml.AliasEvent, line: int) -> None:
        if event.anchor not in self.anchors:
            raise WrongError(f"The alias *{ascii(event.anchor)[1:-1][:80]} has no anchor.", line)
        value, weight = self.anchors[event.anchor]
        self.repeated += weight
        if self.repeated > TEXT_LIMIT:
            raise WrongError(
                f"Aliases repeat more than {TEXT_LIMIT} characters; the cassette is not read.", line
            )
        self._add(value, line, None, weight)

    def begin(self, event: yaml.CollectionStartEvent, line: int, value: Any) -> None:  # noqa: ANN401
        if len(self.stack) > DEPTH_LIMIT:
            raise WrongError(f"Nested deeper than {DEPTH_LIMIT}; it is no cassette.", line)
        if isinstance(value, Table):
            value.line = line
        self.stack.append(_Open(value, line, event.tag, event.anchor))

    def end(self) -> None:
        done = self.stack.pop()
        value = done.value if done.tag is None else tagged(done.tag, done.value, done.line)
        self._add(value, done.line, done.anchor, done.weight)

    def _add(self, value: Any, line: int, anchor: str | None, weight: int) -> None:  # noqa: ANN401
        if anchor is not None:
            self.anchors[anchor] = value, weight
        self.stack[-1].take(value, line, weight)


def read_yaml(text: bytes) -> Any:  # noqa: ANN401 - plain values
    """The one document of this UTF-8 text. Errors: WrongError with its line."""
    builder = _Builder()
    for event in _events(text):
        line = event.start_mark.line + 1
        match event:
            case yaml.ScalarEvent():
                builder.scalar(event, line)
            case yaml.AliasEvent():
                builder.alias(event, line)
            case yaml.SequenceStartEvent():
                builder.begin(event, line, [])
            case yaml.MappingStartEvent():
                builder.begin(event, line, Table())
            case yaml.CollectionEndEvent():
                builder.end()
            case yaml.DocumentStartEvent() if builder.stack[0].value:
                raise WrongError("A second document begins; a cassette is one.", line)
    documents = builder.stack[0].value
    return documents[0] if documents else None


def _events(text: bytes) -> Iterator[Any]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise WrongError(
            f"The YAML is damaged or cut short ({error.problem}); restore it or record anew.",
            None if mark is None else mark.line + 1,
        ) from error
    except yaml.reader.ReaderError as error:
        raise WrongError(
            "A character is none that YAML allows; the file is damaged or no cassette.",
            text.count(b"\n", 0, error.position) + 1,
        ) from error
