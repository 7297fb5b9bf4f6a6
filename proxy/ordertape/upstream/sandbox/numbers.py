"""Which telephone numbers there are, and what becomes of an order for them.

Nothing is looked up: a search has as many numbers as fit its pattern, at most `STOCK`. None are in
area code 999, listed or searched for. Numbers are not used up; two orders may get the same one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

from ordertape.upstream.sandbox.limits import Problem, count
from ordertape.upstream.sandbox.reading import EXISTING, Asked

STOCK = 1000
"""How many numbers any one search finds."""

NO_NUMBERS = "999"
"""The area code in which there are none, so that an order there fails."""

Places = tuple[tuple[str, ...], ...]
"""A set of numbers: for each place, in order, what may stand there."""

_CLASSES = {"N": tuple("23456789"), "X": tuple("0123456789")}
_TOLL_FREE = ("800", "833", "844", "855", "866", "877", "888")
_KEYPAD = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "22233344455566677778889999")
_STATES = """
AB 403 AK 907 AL 205 AR 501 AZ 602 BC 604 CA 213 CO 303 CT 203 DC 202 DE 302 FL 305 GA 404 GU 671
HI 808 IA 515 ID 208 IL 312 IN 317 KS 316 KY 502 LA 504 MA 617 MB 204 MD 410 ME 207 MI 313 MN 612
MO 314 MS 601 MT 406 NB 506 NC 919 ND 701 NE 402 NH 603 NJ 201 NL 709 NM 505 NS 902 NV 702 NY 212
OH 216 OK 405 ON 416 OR 503 PA 215 PE 902 PR 787 QC 514 RI 401 SC 803 SD 605 SK 306 TN 615 TX 214
UT 801 VA 804 VI 340 VT 802 WA 206 WI 414 WV 304 WY 307
"""
_AREA_CODES: Mapping[str, str] = dict(re.findall("([A-Z]{2}) ([0-9]{3})", _STATES))
"""One area code of each state and province."""


@dataclass(frozen=True, slots=True)
class Result:
    """Where an order stands once it was worked on. Quantities are in telephone numbers."""

    status: str
    completed: int
    failed: int = 0
    pending: int = 0
    failed_numbers: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def fulfil(asked: Asked, *, closed: bool) -> Result:
    """What becomes of an order with its defaults; `closed`: it no longer waits for numbers.

    Source: clients-and-orders.md, Answers; the codes 5005 and 5018 there.
    """
    if asked.type.name == EXISTING:
        return _listed(asked)
    wanted = count(asked.type.by_name["Quantity"])
    found = min(wanted, capacity(places(asked.type.by_name)))
    usable = found if asked.partial else 0
    if found == wanted:
        return Result("COMPLETE", wanted)
    if asked.back_order and not closed:
        return Result("BACKORDERED", usable, pending=wanted - usable)
    if usable:
        return Result("PARTIAL", usable, failed=wanted - usable)
    sentence = "The entire quantity of telephone numbers ordered is unavailable"
    return Result("FAILED", 0, failed=wanted, problems=(Problem("5018", sentence),))


def completed_numbers(asked: Asked, result: Result, order_id: str) -> tuple[str, ...]:
    """The numbers that the order got."""
    if asked.type.name == EXISTING:
        failed = frozenset(result.failed_numbers)
        return tuple(number for number in asked.type.numbers if number not in failed)
    return some(places(asked.type.by_name), result.completed, start=UUID(order_id).int)


def capacity(where: Places) -> int:
    """How many numbers a search finds."""
    return min(STOCK, math.prod(len(choices) for choices in where))


def some(where: Places, count: int, *, start: int) -> tuple[str, ...]:
    """`count` different numbers, in turn from the `start`-th on; no more than there are."""
    size = math.prod(len(choices) for choices in where)
    return tuple(_number(where, (start + turn) % size) for turn in range(min(count, size)))


def places(criteria: Mapping[str, str]) -> Places:
    """The numbers that a search is for; the narrowest criterion decides alone."""
    return next((rule(criteria) for name, rule in _PATTERNS if name in criteria), ((),))


def _listed(asked: Asked) -> Result:
    numbers = asked.type.numbers
    missing = [number for number in numbers if number.startswith(NO_NUMBERS)]
    problems = tuple(
        Problem("5005", "The telephone number is unavailable for ordering", number)
        for number in missing
    )
    failed = tuple(missing if asked.partial or not missing else numbers)
    completed = len(numbers) - len(failed)
    status = "FAILED" if not completed else "PARTIAL" if failed else "COMPLETE"
    return Result(status, completed, len(failed), failed_numbers=failed, problems=problems)


def _number(where: Places, index: int) -> str:
    chosen = []
    for choices in reversed(where):
        index, place = divmod(index, len(choices))
        chosen.append(choices[place])
    return "".join(reversed(chosen))


def _written(pattern: str) -> Places:
    """The notation of the numbering plan: N is 2 to 9, X is any digit."""
    return tuple(_CLASSES.get(character, (character,)) for character in pattern)


def _in_area(code: str, rest: str) -> Places:
    return (() if code == NO_NUMBERS else (code,), *_written(rest))


def _ending(word: str) -> str:
    return "NXXXXXX"[: 7 - len(word)] + word.upper().translate(_KEYPAD)


def _toll_free(pattern: str) -> Places:
    wanted = re.compile(pattern.replace("*", "."))
    return (tuple(code for code in _TOLL_FREE if wanted.fullmatch(code)), *_written("NXXXXXX"))


def _somewhere(text: str) -> str:
    """An area code for a place that has none on record; always the same one."""
    codes = sorted(_AREA_CODES.values())
    return codes[sum(text.encode()) % len(codes)]


def _in_state(state: str) -> Places:
    return _in_area(_AREA_CODES.get(state.upper(), _somewhere(state.upper())), "NXXXXXX")


_PATTERNS: tuple[tuple[str, Callable[[Mapping[str, str]], Places]], ...] = (
    ("LocalVanity", lambda c: _in_area(c.get("AreaCode", "617"), _ending(c["LocalVanity"]))),
    ("NpaNxxX", lambda c: _in_area(c["NpaNxxX"][:3], c["NpaNxxX"][3:] + "XXX")),
    ("NpaNxx", lambda c: _in_area(c["NpaNxx"][:3], c["NpaNxx"][3:] + "XXXX")),
    ("AreaCode", lambda c: _in_area(c["AreaCode"], "NXXXXXX")),
    ("TollFreeVanity", lambda c: (_TOLL_FREE, *_written(_ending(c["TollFreeVanity"])))),
    ("TollFreeWildCardPattern", lambda c: _toll_free(c["TollFreeWildCardPattern"])),
    ("State", lambda c: _in_state(c["State"])),
    ("Zip", lambda c: _in_area(_somewhere(c["Zip"]), "NXXXXXX")),
    ("Lata", lambda c: _in_area(_somewhere(c["Lata"]), "NXXXXXX")),
)
