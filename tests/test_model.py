"""The values that pass through, and the table that they move along."""

import hashlib
import itertools

import pytest

from ordertape.model import TRANSITIONS, Headers, IllegalTransitionError, State, Tally, move

LEGAL = {
    (None, State.REFUSED),
    (None, State.PENDING),
    (State.PENDING, State.COMPLETED),
    (State.PENDING, State.FAILED),
    (State.PENDING, State.IN_DOUBT),
    (State.IN_DOUBT, State.COMPLETED),
    (State.IN_DOUBT, State.FAILED),
}


@pytest.mark.parametrize(
    ("before", "after"), list(itertools.product([None, *State], State)), ids=str
)
def test_an_exchange_moves_only_along_the_designs_table(before: State | None, after: State) -> None:
    if (before, after) in LEGAL:
        assert move(before, after) is after
    else:
        with pytest.raises(IllegalTransitionError, match=f"to {after.value}"):
            move(before, after)


def test_the_table_has_a_row_for_every_state() -> None:
    assert set(TRANSITIONS) == {None, *State}


def test_headers_keep_order_spelling_and_repeats_and_look_up_without_case() -> None:
    headers = Headers.of([(b"X-A", b"1"), (b"x-a", b"2"), (b"Via", b"1.1 a, 1.0 b"), (b"via", b"")])
    assert headers.get(b"x-A") == b"1"
    assert headers.get_all(b"X-a") == [b"1", b"2"]
    assert headers.tokens(b"via") == [b"1.1 a", b"1.0 b"]
    assert headers.without([b"x-a"]).pairs == ((b"Via", b"1.1 a, 1.0 b"), (b"via", b""))
    assert headers.get(b"absent") is None


def test_a_tally_keeps_a_beginning_and_speaks_of_the_whole() -> None:
    tally = Tally(4)
    for piece in (b"abc", b"def", b"g"):
        tally.add(piece)
    assert tally.result() == (b"abcd", 7, hashlib.sha256(b"abcdefg").digest(), True)


def test_a_tally_of_a_body_that_fits_is_not_truncated() -> None:
    tally = Tally(4)
    tally.add(b"abcd")
    assert tally.result() == (b"abcd", 4, hashlib.sha256(b"abcd").digest(), False)
