"""Windows, held to tables of instants that were worked out by hand and by the zones' own rules."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordertape.quota import Calendar, Extent, Period, Rolling
from ordertape.quota.window import FOREVER, SECOND

HOUR, DAY, WEEK, MONTH = Period.HOUR, Period.DAY, Period.WEEK, Period.MONTH
NEW_YORK, SAO_PAULO, BEIRUT = "America/New_York", "America/Sao_Paulo", "Asia/Beirut"
LORD_HOWE, KOLKATA, ST_JOHNS = "Australia/Lord_Howe", "Asia/Kolkata", "America/St_Johns"


def moment(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


@pytest.mark.parametrize(
    ("period", "zone", "at", "starts", "ends"),
    [
        (HOUR, "UTC", "2026-10-01T12:34:56", "2026-10-01T12:00", "2026-10-01T13:00"),
        (HOUR, "UTC", "2026-12-31T23:59:59", "2026-12-31T23:00", "2027-01-01T00:00"),
        # India is five and a half hours ahead.
        (HOUR, KOLKATA, "2026-10-01T12:34:56", "2026-10-01T12:30", "2026-10-01T13:30"),
        (HOUR, "Asia/Kathmandu", "2026-10-01T12:14:59", "2026-10-01T11:15", "2026-10-01T12:15"),
        # 01:00 comes twice on 1 November: each is an hour of its own.
        (HOUR, NEW_YORK, "2026-11-01T05:30", "2026-11-01T05:00", "2026-11-01T06:00"),
        (HOUR, NEW_YORK, "2026-11-01T06:30", "2026-11-01T06:00", "2026-11-01T07:00"),
        (HOUR, NEW_YORK, "2026-03-08T07:00", "2026-03-08T07:00", "2026-03-08T08:00"),
        # Lord Howe changes by half an hour: 02:00 to 01:30 in April, 02:00 to 02:30 in October.
        (HOUR, LORD_HOWE, "2026-04-04T14:40", "2026-04-04T14:00", "2026-04-04T15:00"),
        (HOUR, LORD_HOWE, "2026-04-04T15:10", "2026-04-04T15:00", "2026-04-04T15:30"),
        (HOUR, LORD_HOWE, "2026-04-04T15:30", "2026-04-04T15:30", "2026-04-04T16:30"),
        (HOUR, LORD_HOWE, "2026-10-03T15:29", "2026-10-03T14:30", "2026-10-03T15:30"),
        (HOUR, LORD_HOWE, "2026-10-03T15:30", "2026-10-03T15:30", "2026-10-03T16:00"),
        # Caracas went from 02:30 to 03:00, in the middle of an hour.
        (HOUR, "America/Caracas", "2016-05-01T06:45", "2016-05-01T06:30", "2016-05-01T07:00"),
        (HOUR, "America/Caracas", "2016-05-01T07:00", "2016-05-01T07:00", "2016-05-01T08:00"),
        (DAY, "UTC", "2026-10-01T00:00", "2026-10-01T00:00", "2026-10-02T00:00"),
        (DAY, KOLKATA, "2026-10-01T18:30", "2026-10-01T18:30", "2026-10-02T18:30"),
        (DAY, KOLKATA, "2026-10-01T18:29:59", "2026-09-30T18:30", "2026-10-01T18:30"),
        # 23 and 25 hours.
        (DAY, NEW_YORK, "2026-03-08T12:00", "2026-03-08T05:00", "2026-03-09T04:00"),
        (DAY, NEW_YORK, "2026-11-01T12:00", "2026-11-01T04:00", "2026-11-02T05:00"),
        (DAY, NEW_YORK, "2026-03-08T04:59:59", "2026-03-07T05:00", "2026-03-08T05:00"),
        (DAY, LORD_HOWE, "2026-04-04T15:10", "2026-04-04T13:00", "2026-04-05T13:30"),
        # No midnight: clocks went from 24:00 to 01:00.
        (DAY, SAO_PAULO, "2018-11-04T02:59:59", "2018-11-03T03:00", "2018-11-04T03:00"),
        (DAY, SAO_PAULO, "2018-11-04T03:00", "2018-11-04T03:00", "2018-11-05T02:00"),
        (DAY, BEIRUT, "2026-03-28T22:00", "2026-03-28T22:00", "2026-03-29T21:00"),
        # The last hour of a day comes twice: clocks went from 24:00 back to 23:00.
        (DAY, SAO_PAULO, "2018-02-18T02:30", "2018-02-17T02:00", "2018-02-18T03:00"),
        (DAY, BEIRUT, "2026-10-24T21:30", "2026-10-23T21:00", "2026-10-24T22:00"),
        # From 00:01 back to 23:01: what comes after the first midnight stays with the new day.
        (DAY, ST_JOHNS, "2006-10-29T02:31", "2006-10-29T02:30", "2006-10-30T03:30"),
        (DAY, ST_JOHNS, "2006-10-29T03:29", "2006-10-29T02:30", "2006-10-30T03:30"),
        # From 23:30 to 00:30: no midnight, and the day begins where the clocks changed.
        (DAY, "America/Toronto", "1919-03-31T04:35", "1919-03-31T04:30", "1919-04-01T04:00"),
        (DAY, "America/Toronto", "1919-03-31T04:29", "1919-03-30T05:00", "1919-03-31T04:30"),
        # Samoa had no 30 December 2011.
        (DAY, "Pacific/Apia", "2011-12-30T09:59", "2011-12-29T10:00", "2011-12-30T10:00"),
        (DAY, "Pacific/Apia", "2011-12-30T10:00", "2011-12-30T10:00", "2011-12-31T10:00"),
        # ISO weeks go over the new year: 2026 has 53, and 2024-12-30 begins week 1 of 2025.
        (WEEK, "UTC", "2027-01-03T23:59:59", "2026-12-28T00:00", "2027-01-04T00:00"),
        (WEEK, "UTC", "2024-12-30T00:00", "2024-12-30T00:00", "2025-01-06T00:00"),
        (WEEK, NEW_YORK, "2026-11-02T04:59", "2026-10-26T04:00", "2026-11-02T05:00"),
        (WEEK, SAO_PAULO, "2018-11-04T12:00", "2018-10-29T03:00", "2018-11-05T02:00"),
        (MONTH, "UTC", "2028-02-29T12:00", "2028-02-01T00:00", "2028-03-01T00:00"),
        (MONTH, "UTC", "2027-02-28T23:59:59", "2027-02-01T00:00", "2027-03-01T00:00"),
        (MONTH, "UTC", "2026-12-31T12:00", "2026-12-01T00:00", "2027-01-01T00:00"),
        (MONTH, NEW_YORK, "2026-11-01T03:59:59", "2026-10-01T04:00", "2026-11-01T04:00"),
        (MONTH, NEW_YORK, "2026-11-30T12:00", "2026-11-01T04:00", "2026-12-01T05:00"),
        (MONTH, NEW_YORK, "2026-03-31T12:00", "2026-03-01T05:00", "2026-04-01T04:00"),
    ],
)
def test_a_calendar_window_is_what_the_zone_calls_by_that_name(
    period: Period, zone: str, at: str, starts: str, ends: str
) -> None:
    window = Calendar(period, zone)
    expected = Extent(moment(starts), moment(ends))
    last = expected.ends - 1
    extents = [window.extent(one) for one in (moment(at), expected.starts, last)]
    assert extents == [expected] * 3


ZONES = [
    *("UTC", NEW_YORK, SAO_PAULO, BEIRUT, LORD_HOWE, KOLKATA, ST_JOHNS, "Asia/Kathmandu"),
    *("Pacific/Apia", "Pacific/Kwajalein", "America/Toronto", "America/Havana", "Asia/Tehran"),
    *("America/Scoresbysund", "Africa/Cairo", "Africa/Casablanca", "Europe/Dublin", "Asia/Gaza"),
    *("Pacific/Chatham", "Antarctica/Troll", "Australia/Adelaide", "America/Caracas"),
]
MOMENTS = st.integers(moment("1915-01-01"), moment("2099-12-31"))
CALENDARS = st.builds(Calendar, st.sampled_from(Period), st.sampled_from(ZONES))


def _changes() -> list[tuple[str, int]]:
    """Every moment since 1990 at which one of these zones changes its clocks."""
    found = []
    for zone in ZONES:
        key = ZoneInfo(zone)
        hours = range(moment("1990-01-01") // SECOND, moment("2030-01-01") // SECOND, 86_400)
        offset = datetime.fromtimestamp(hours[0], key).utcoffset()
        for day in hours:
            now = datetime.fromtimestamp(day, key).utcoffset()
            if now != offset:
                found.append((zone, day * SECOND))
                offset = now
    return found


NEAR_CHANGES = st.tuples(st.sampled_from(_changes()), st.integers(0, 93_600)).map(
    lambda drawn: (drawn[0][0], drawn[0][1] - drawn[1] * SECOND)
)


def _is_tiled(window: Calendar, at: int) -> bool:
    extent = window.extent(at)
    before = window.extent(extent.starts - 1)
    after = window.extent(extent.ends)
    lies = extent.starts <= at < extent.ends
    return lies and before.ends == extent.starts and after.starts == extent.ends


@settings(deadline=None, max_examples=300)
@given(CALENDARS, MOMENTS)
def test_every_moment_lies_in_its_window_and_windows_leave_no_gap(
    window: Calendar, at: int
) -> None:
    assert _is_tiled(window, at)


@settings(deadline=None, max_examples=400)
@given(st.sampled_from(Period), NEAR_CHANGES)
def test_where_clocks_change_windows_leave_no_gap_either(
    period: Period, where: tuple[str, int]
) -> None:
    zone, at = where
    assert _is_tiled(Calendar(period, zone), at)


@settings(deadline=None)
@given(st.sampled_from((DAY, WEEK, MONTH)), st.sampled_from(ZONES), MOMENTS)
def test_a_window_begins_with_the_first_moment_of_its_first_day(
    period: Period, zone: str, at: int
) -> None:
    starts = Calendar(period, zone).extent(at).starts // SECOND
    first, before = (datetime.fromtimestamp(one, ZoneInfo(zone)) for one in (starts, starts - 1))
    assert before.date() < first.date()
    expected = {
        DAY: first.date(),
        WEEK: first.date() - timedelta(days=first.weekday()),
        MONTH: first.date().replace(day=1),
    }
    assert first.date() == expected[period] or zone in {"Pacific/Apia", "Pacific/Kwajalein"}


def test_the_days_of_a_year_are_those_of_the_calendar() -> None:
    days, at = [], moment("2026-01-01T05:00")
    while at < moment("2027-01-01T05:00"):
        extent = Calendar(DAY, NEW_YORK).extent(at)
        days.append(datetime.fromtimestamp(extent.starts // SECOND, ZoneInfo(NEW_YORK)).date())
        at = extent.ends
    assert days == [date(2026, 1, 1) + timedelta(days=number) for number in range(365)]


def test_a_rolling_window_holds_the_last_seconds_and_what_comes() -> None:
    at = moment("2026-10-01T12:00")
    extent = Rolling(3600).extent(at)
    assert extent == Extent(moment("2026-10-01T11:00") + 1, FOREVER)


def test_windows_have_names_that_tell_them_apart() -> None:
    names = [str(Calendar(DAY, NEW_YORK)), str(Calendar(HOUR)), str(Rolling(60))]
    assert names == ["day America/New_York", "hour UTC", "rolling 60"]
