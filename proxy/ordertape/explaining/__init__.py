"""Why a request found no recording: how the nearest one differs, and what would make them one.

Pure: `upstream.replay` finds the recordings that are worth comparing. Near is what differs in few
fields, not in few characters; what has another method or path is never nearer than what has not.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from lxml import etree

from ordertape import canonical
from ordertape.canonical import Content
from ordertape.errors import RefusedError
from ordertape.explaining.seen import Features, Seen, features
from ordertape.explaining.trees import Place, XmlBodies, in_json
from ordertape.matching import Matching
from ordertape.order import media_type_ok, read_tree, shown

__all__ = [
    "Comparison",
    "Difference",
    "Features",
    "Nearest",
    "Seen",
    "difference",
    "features",
    "path_distance",
    "unlike",
]

_CREDENTIALS = "Authorization"
_MOST_TOLD = 10
_LONGEST = 120
_KINDS = {"order": "XML", "xml": "XML", "json": "JSON", "bytes": "other bytes"}


@dataclass(frozen=True, slots=True)
class Difference:
    """One place in which two requests differ: an XPath, `?key`, a header's name, or a part.

    `recorded` and `asked` are what stands there, None where nothing does.
    """

    place: str
    recorded: str | None
    asked: str | None

    def __str__(self) -> str:
        return f"{self.place}: recorded {_quoted(self.recorded)}, asked {_quoted(self.asked)}."


@dataclass(frozen=True, slots=True)
class Nearest:
    """The recording that is nearest to a request, and all that is told of it.

    `used` of its `recorded` answers have been given. `more` differences are not listed. `option`
    is what would make the request find it, as it is written on the command line. `unread`
    recordings were not looked at yet, and `beyond` are too many to be looked at: one of them may
    be nearer.
    """

    name: str
    used: int
    recorded: int
    differences: tuple[Difference, ...] = ()
    more: int = 0
    option: str | None = None
    unread: int = 0
    beyond: int = 0

    def sentences(self) -> tuple[str, ...]:
        """The explanation, a sentence each."""
        times = "once" if self.recorded == 1 else f"{self.recorded} times"
        use = f"{self.used} of {self.recorded} used" if self.used else "not used yet"
        told = [f"The nearest recording is {self.name}, recorded {times}, {use}."]
        told += map(str, self.differences)
        if self.more:
            told.append(f"{self.more} more places differ.")
        if self.option is not None:
            told.append(f"With {self.option} the two would match.")
        if self.unread:
            told.append(f"{self.unread} recordings have not been looked at yet; ask again.")
        if self.beyond:
            told.append(f"{self.beyond} more recordings of such a path are never looked at.")
        return tuple(told)

    def facts(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "recording": self.name,
            "used": self.used,
            "recorded": self.recorded,
            "differences": [
                {"place": one.place, "recorded": one.recorded, "asked": one.asked}
                for one in self.differences
            ],
            "more": self.more,
            "option": self.option,
            "unread": self.unread,
            "beyond": self.beyond,
        }


class Comparison:
    """A recorded request beside one that was asked."""

    def __init__(self, recorded: Seen, asked: Seen, matching: Matching) -> None:
        self._recorded = recorded
        self._asked = asked
        self._matching = matching
        self._head = (*self._line(), *self._queries(), *self._headers())
        self._contents = recorded.content(), asked.content()
        self._trees = self._both_trees(*self._contents)

    @property
    def line(self) -> str:
        """The method and path of the recorded request."""
        return f"{self._recorded.method} {self._recorded.path}"

    @property
    def distance(self) -> tuple[int, int, int, int]:
        """How far apart: by method, by path, by the kind of body, and in how many fields."""
        one, other = self._recorded, self._asked
        fields = sum(bool(place.ignored_by) for place in self._head)
        body = self._trees.size if self._trees is not None else len(self._bodies())
        return (
            int(one.method != other.method),
            path_distance(one.path, other.path),
            int(_root(self._contents[0]) != _root(self._contents[1])),
            fields + body,
        )

    def nearest(
        self, name: str, used: int, recorded: int, unread: int = 0, beyond: int = 0
    ) -> Nearest:
        """What is told of it, when it is the nearest."""
        places = [*self._head, *(self._trees.places() if self._trees else self._bodies())]
        return Nearest(
            name,
            used,
            recorded,
            tuple(map(difference, places[:_MOST_TOLD])),
            max(0, len(places) - _MOST_TOLD),
            self._option(places),
            unread,
            beyond,
        )

    def _line(self) -> Iterator[Place]:
        for name, one, other in (
            ("method", self._recorded.method, self._asked.method),
            ("path", self._recorded.path, self._asked.path),
        ):
            if one != other:
                yield Place(name, one, other)

    def _queries(self) -> Iterator[Place]:
        before, after = (
            _by_name(self._matching.of_query(seen.query)) for seen in (self._recorded, self._asked)
        )
        for name in dict.fromkeys([*after, *before]):
            for one, other in unlike(before.get(name, []), after.get(name, [])):
                yield Place(f"?{name}", one, other, (f"?{name}",))

    def _headers(self) -> Iterator[Place]:
        if self._matching.credentials and self._recorded.authorized and not self._asked.authorized:
            yield Place(_CREDENTIALS, "some", None, (_CREDENTIALS,))
        for name in self._matching.matched_headers:
            before, after = (
                [value.decode("latin-1").strip() for value in seen.headers.get_all(name.encode())]
                for seen in (self._recorded, self._asked)
            )
            for one, other in zip_longest(before, after):
                if one != other:
                    yield Place(name, one, other, (name,))

    def _both_trees(self, recorded: Content, asked: Content) -> XmlBodies | None:
        before, after = recorded.value, asked.value
        if not isinstance(before, etree._Element) or not isinstance(after, etree._Element):  # noqa: SLF001
            return None
        order = recorded.kind == asked.kind == "order"
        return XmlBodies(before, after, self._matching, order=order)

    def _bodies(self) -> list[Place]:
        """The differences of bodies that are not both XML."""
        recorded, asked = self._contents
        if recorded.kind == asked.kind == "json":
            try:
                return list(in_json(recorded.value, asked.value))  # type: ignore[arg-type] # by their kind
            except RecursionError:
                pass  # they are told whole
        if recorded == asked:
            return []
        if recorded.kind != asked.kind and self._recorded.body and self._asked.body:
            return [Place("body", _kind(self._recorded, recorded), _kind(self._asked, asked))]
        return [Place("body", _said(self._recorded), _said(self._asked))]

    def _option(self, places: Sequence[Place]) -> str | None:
        """The options by which the two would be one; tried out, for a sum may be more than that."""
        if not places or any(not (place.ignored_by or place.order) for place in places):
            return None
        reordered = any(place.order for place in places)
        if reordered and self._contents[0].kind != "order":
            return None
        for choice in (0, -1):
            more = dict.fromkeys(place.ignored_by[choice] for place in places if place.ignored_by)
            matching = replace(
                self._matching,
                ignore=(*self._matching.ignore, *more),
                element_order="any" if reordered else self._matching.element_order,
            )
            if self._recorded.key(matching) in canonical.matched_by(self._asked.key(matching)):
                words = [f"--ignore {shlex.quote(entry)}" for entry in more]
                return " ".join(words + ["--element-order any"] * reordered)
        return None


def path_distance(one: str, other: str) -> int:
    """In how many segments two paths differ."""
    return sum(a != b for a, b in zip_longest(one.split("/"), other.split("/")))


def _root(content: Content) -> str:
    """What is the same for bodies that can be compared field by field."""
    if isinstance(content.value, etree._Element):  # noqa: SLF001
        return str(content.value.tag)
    return content.kind


def _by_name(pairs: Iterable[str]) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in pairs:
        name, _, value = pair.partition("=")
        if pair:
            found.setdefault(name, []).append(value)
    return found


def unlike(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[str | None, str | None]]:
    """What is on one side only, in pairs as far as there are two sides of it."""
    left, right = Counter(one) - Counter(other), Counter(other) - Counter(one)
    return zip_longest(left.elements(), right.elements())


def difference(place: Place) -> Difference:
    """The place as it is told: its values not too long."""
    if place.order:
        path = f"{place.path} (order of its elements)"
        return Difference(path, _short(place.recorded), _short(place.asked))
    return Difference(place.path, _short(place.recorded), _short(place.asked))


def _short(value: str | None) -> str | None:
    return None if value is None else shown(value, _LONGEST)


def _quoted(value: str | None) -> str:
    return "nothing" if value is None else f"'{value}'"


def _kind(seen: Seen, content: Content) -> str:
    """What sort of body it is; of XML that cannot be read, why."""
    media_type = seen.headers.get(b"content-type")
    if content.kind == "bytes" and media_type_ok(media_type, seen.body):
        try:
            read_tree(seen.body, media_type)
        except RefusedError as error:
            return f"XML that cannot be read: {error}"
    return _KINDS[content.kind]


def _said(seen: Seen) -> str | None:
    """A body that is told whole: its text, where it is that, or its size."""
    if not seen.body:
        return None
    try:
        text = seen.body.decode()
    except UnicodeDecodeError:
        text = ""
    return text if text.isprintable() and text else f"{len(seen.body)} bytes"
