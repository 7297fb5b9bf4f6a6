"""Bursts, against a bucket that is filled and emptied in so many words."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordertape.quota import Burst
from ordertape.quota.window import SECOND

BEGIN = 1_790_000_000 * SECOND
RATES = st.sampled_from([0.01, 0.1, 0.3, 1, 3, 5, 7.5, 60, 999, 1e6, 3e6])
SIZES = st.integers(1, 20)
WAITS = st.lists(st.one_of(st.just(0), st.integers(0, 3 * SECOND)), min_size=1, max_size=60)


def admitted(window: Burst, size: int, moments: list[int]) -> list[int]:
    """The moments at which an order is let through, if one is tried at each of these."""
    booked, passed = 0, []
    for at in moments:
        if window.taken(booked, size, at) < size:
            booked = window.booked(booked, size, at)
            passed.append(at)
    return passed


def moments(waits: list[int]) -> list[int]:
    at = BEGIN
    return [at := at + wait for wait in waits]


@given(RATES, SIZES, WAITS)
def test_in_no_interval_is_more_admitted_than_the_size_and_the_rate_allow(
    rate: float, size: int, waits: list[int]
) -> None:
    passed = admitted(Burst(rate), size, moments(waits))
    for first, starts in enumerate(passed):
        for last, ends in enumerate(passed[first:], first):
            allowed = size + Fraction(rate) * (ends - starts) / SECOND
            assert last - first + 1 <= allowed


@given(RATES, SIZES, WAITS)
def test_what_a_plain_bucket_admits_is_admitted(rate: float, size: int, waits: list[int]) -> None:
    window, taken, last, expected = Burst(rate), Fraction(0), BEGIN, []
    for at in moments(waits):
        taken = max(Fraction(0), taken - Fraction(at - last, window.interval))
        last = at
        if taken + 1 <= size:
            taken += 1
            expected.append(at)
    assert admitted(window, size, moments(waits)) == expected


@given(RATES, SIZES, st.integers(0, 20), st.integers(0, 20))
def test_a_bucket_that_was_larger_is_no_fuller_than_it_can_be(
    rate: float, size: int, larger: int, tried: int
) -> None:
    window, booked = Burst(rate), 0
    for _ in range(min(tried, size + larger)):
        booked = window.booked(booked, size + larger, BEGIN)
    assert window.taken(booked, size, BEGIN) == min(tried, size + larger, size)
    assert window.frees(booked, size, BEGIN) <= BEGIN + window.interval


@settings(max_examples=200)
@given(RATES, SIZES, WAITS)
def test_the_moment_that_is_told_is_the_first_at_which_an_order_passes(
    rate: float, size: int, waits: list[int]
) -> None:
    window, booked = Burst(rate), 0
    for at in moments(waits):
        frees = window.frees(booked, size, at)
        free_now = window.taken(booked, size, at) < size
        assert free_now == (frees <= at)
        if not free_now:
            assert window.taken(booked, size, frees) < size
            assert window.taken(booked, size, frees - 1) == size
        else:
            booked = window.booked(booked, size, at)


@pytest.mark.parametrize(
    ("rate", "interval"), [(5, 200_000), (3, 333_334), (0.01, 100 * SECOND), (1e9, 1), (7e5, 2)]
)
def test_a_place_comes_free_no_sooner_than_the_rate_says(rate: float, interval: int) -> None:
    assert Burst(rate).interval == interval


def test_a_bucket_of_no_size_has_no_place() -> None:
    assert Burst(5).taken(0, 0, BEGIN) == 0
    assert admitted(Burst(5), 0, [BEGIN, BEGIN + SECOND]) == []
