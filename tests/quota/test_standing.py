import pytest

from ordertape.quota import Boost, Calendar, Mode, Period, Quota, Standing, Unit


def quota(limit: int | None = 100, mode: Mode = Mode.ENFORCE, warn_at: float | None = 0.8) -> Quota:
    return Quota("daily", Unit.NUMBERS, limit, Calendar(Period.DAY), mode, warn_at)


def standing(used: int, asked: int, limit: int | None = 100, mode: Mode = Mode.ENFORCE) -> Standing:
    return Standing(quota(limit, mode), used, asked, more_at=1, fits_at=1)


@pytest.mark.parametrize(
    ("used", "asked", "limit", "fits", "never"),
    [
        (0, 100, 100, True, False),
        (0, 101, 100, False, True),
        (60, 40, 100, True, False),
        (60, 41, 100, False, False),
        (100, 0, 100, True, False),
        (150, 1, 100, False, False),  # the limit was lowered
        (150, 0, 100, False, False),
        (0, 1, 0, False, True),
        (0, 0, 0, False, True),
        (10**12, 10**12, None, True, False),
    ],
)
def test_an_order_fits_where_what_it_asks_for_is_left(
    used: int, asked: int, limit: int | None, *, fits: bool, never: bool
) -> None:
    one = standing(used, asked, limit)
    assert (one.fits, one.refuses, one.never_fits) == (fits, not fits, never)


def test_a_shadow_quota_refuses_nothing() -> None:
    one = standing(100, 1, mode=Mode.SHADOW)
    assert (one.fits, one.refuses) == (False, False)


@pytest.mark.parametrize(("used", "remaining"), [(0, 100), (100, 0), (150, 0)])
def test_what_remains_is_never_less_than_nothing(used: int, remaining: int) -> None:
    assert standing(used, 1).remaining == remaining


@pytest.mark.parametrize(
    ("used", "asked", "limit", "warn_at", "is_near"),
    [
        (0, 79, 100, 0.8, False),
        (0, 80, 100, 0.8, True),
        (79, 1, 100, 0.8, True),
        (99, 1, 100, None, False),
        (99, 1, None, 0.8, False),
    ],
)
def test_an_order_that_passes_the_share_is_warned_of(
    used: int, asked: int, limit: int | None, warn_at: float | None, *, is_near: bool
) -> None:
    one = Standing(quota(limit, warn_at=warn_at), used, asked, more_at=1, fits_at=1)
    assert one.is_near is is_near


@pytest.mark.parametrize(
    ("limit", "boosts", "at", "in_force"),
    [
        (100, ((50, 10),), 9, 150),
        (100, ((50, 10),), 10, 100),  # its last moment is the one before
        (100, ((50, 10), (7, 20)), 9, 157),
        (100, ((50, 10), (7, 20)), 10, 107),
        (0, ((50, 10),), 9, 0),  # blocked is blocked
        (100, ((-150, 10),), 9, 0),
        (None, ((50, 10),), 9, None),
    ],
)
def test_boosts_hold_until_their_moment(
    limit: int | None, boosts: tuple[tuple[int, int], ...], at: int, in_force: int | None
) -> None:
    named = Quota(
        *("daily", Unit.NUMBERS, limit, Calendar(Period.DAY)),
        boosts=tuple(Boost(*boost) for boost in boosts),
    )
    assert named.at(at).limit == in_force
