"""The RateLimit fields, read by a parser of structured fields (RFC 9651), and Retry-After."""

from dataclasses import replace
from pathlib import Path

import http_sfv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metered import (
    ACCOUNT,
    DAY,
    Burst,
    Calendar,
    Clock,
    Period,
    Rolling,
    Window,
    deciding,
    fields,
    metered,
    numbers,
    said,
)
from ordertape.quota import Mode, Quota, Reservation, Standing, Unit, headers, refusal
from ordertape.testing import Respond, Scripted, order_created, reply

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
ORDERS = Quota("orders-per-hour", Unit.ORDERS, 2, Rolling(3600))


@pytest.mark.parametrize(
    ("window", "policy", "state", "freed"),
    [
        (Calendar(Period.HOUR), {"q": 10, "w": 3600}, {"r": 4, "t": 3600}, "2026-11-24T13:00:00Z"),
        (
            Calendar(Period.WEEK, "Asia/Kolkata"),
            {"q": 10, "w": 604_800},
            {"r": 4, "t": 455_400},
            "2026-11-29T18:30:00Z",
        ),
        (
            Calendar(Period.MONTH),
            {"q": 10},
            {"r": 4, "t": 561_600},
            "2026-12-01T00:00:00Z",
        ),
    ],
    ids=["hour", "week", "month"],
)
async def test_each_calendar_window_says_when_it_ends(
    window: Window, policy: dict[str, int], state: dict[str, int], freed: str, tmp_path: Path
) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, numbers(10, window, name="the-numbers")) as running,
    ):
        assert await deciding(running, 6) == [201]
        refused = await said(running, 5)
    assert fields(refused, "ratelimit-policy") == {"the-numbers": policy}
    assert fields(refused, "ratelimit") == {"the-numbers": state}
    assert refused.headers["retry-after"] == str(state["t"])
    assert f"; send it again after {freed}, or ask for at most 4.".encode() in refused.body


async def test_a_rolling_window_says_when_something_and_when_enough_leaves_it(
    tmp_path: Path,
) -> None:
    clock = Clock()
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, numbers(10, Rolling(600)), clock=clock) as running,
    ):
        for quantity in (2, 3, 4):
            assert await deciding(running, quantity) == [201]
            clock.pass_by(100)
        refused = await said(running, 5)
        clock.pass_by(399.999999)
        early = await said(running, 5)
        clock.pass_by(0.000001)
        assert await deciding(running, 5) == [201]
    assert refused.headers["retry-after"] == "400"
    assert fields(refused, "ratelimit-policy") == {"numbers-per-day": {"q": 10, "w": 600}}
    assert fields(refused, "ratelimit") == {"numbers-per-day": {"r": 1, "t": 300}}
    assert b"10 telephone numbers in any 600 seconds, of which 9 are used" in refused.body
    assert b"send it again after 2026-11-24T12:11:40Z, or ask for at most 1." in refused.body
    assert (early.status, early.headers["retry-after"]) == (429, "1")


async def test_a_burst_says_when_there_is_room_for_one_order_more(tmp_path: Path) -> None:
    clock = Clock()
    burst = Quota("burst", Unit.ORDERS, 2, Burst(0.5))
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, burst, clock=clock) as running,
    ):
        assert await deciding(running, 5000, 5000) == [201, 201]
        refused = await said(running, 1)
        clock.pass_by(2)
        assert await deciding(running, 1, 1) == [201, 429]
    assert fields(refused, "ratelimit-policy") == {"burst": {"q": 2, "w": 4}}
    assert fields(refused, "ratelimit") == {"burst": {"r": 0, "t": 2}}
    assert refused.headers["retry-after"] == "2"
    assert (
        f"The quota burst allows account {ACCOUNT} 2 orders at once and 0.5 a second, of which 2 "
        "are used (0 of them held), and this order asks for 1; send it again after "
        "2026-11-24T12:00:02Z."
    ).encode() in refused.body


@pytest.mark.parametrize("told", ["refusals", "always", "never"])
async def test_the_configuration_says_which_answers_tell_of_quotas(
    told: str, tmp_path: Path
) -> None:
    """RateLimit says what is left once the answer has settled what the order counts for."""
    partial = (
        b"<OrderResponse><CompletedQuantity>2</CompletedQuantity><OrderStatus>PARTIAL"
        b"</OrderStatus></OrderResponse>"
    )
    script = [Respond(CREATED), Respond(reply(400)), Respond(reply(201, partial))]
    async with (
        Scripted(*([step] for step in script), per="request") as service,
        metered(tmp_path, service.url, numbers(10), ORDERS, headers=told) as running,
    ):
        created, refunded, less, over = [await said(running, 4) for _ in range(4)]
    assert [one.status for one in (created, refunded, less, over)] == [201, 400, 201, 429]
    assert over.headers["retry-after"] == "3600"
    assert ("ratelimit" in over.headers, "ratelimit-policy" in over.headers) == (
        told != "never",
        told != "never",
    )
    for answer, left in ((created, (6, 1)), (refunded, (6, 1)), (less, (4, 0))):
        if told != "always":
            assert not {"ratelimit", "ratelimit-policy", "retry-after"} & set(answer.headers)
            continue
        assert fields(answer, "ratelimit-policy") == {
            "numbers-per-day": {"q": 10, "w": 86_400},
            "orders-per-hour": {"q": 2, "w": 3600},
        }
        found = fields(answer, "ratelimit")
        assert (found["numbers-per-day"]["r"], found["orders-per-hour"]["r"]) == left


WINDOWS = st.one_of(
    st.builds(Calendar, st.sampled_from(Period), st.sampled_from(["UTC", "America/New_York"])),
    st.builds(Rolling, st.integers(1, 10**8)),
    st.builds(Burst, st.floats(0.001, 10_000)),
)
AMOUNTS = st.integers(0, 20) | st.sampled_from([5000, 10**15 - 1, 10**15, 10**18])


@st.composite
def reservations(draw: st.DrawFn) -> Reservation:
    """Whatever quotas a configuration may have, and however an order may find them."""
    at = draw(st.integers(0, 4 * 10**15))
    standings = []
    names = draw(st.lists(st.text(min_size=1) | st.sampled_from(["a-b"]), min_size=1, max_size=4))
    for number, name in enumerate(names):
        quota = Quota(
            f"{number}{name}",
            draw(st.sampled_from(Unit)),
            draw(st.none() | AMOUNTS),
            draw(WINDOWS),
            draw(st.sampled_from(Mode)),
        )
        more_at = at + draw(st.integers(0, 10**14))
        fits_at = more_at + draw(st.integers(0, 10**14))
        amounts = [draw(AMOUNTS) for _ in range(2)]
        standings.append(Standing(quota, *amounts, more_at, fits_at, held=draw(AMOUNTS)))
    return Reservation(ACCOUNT, at, tuple(standings), assumed=draw(st.booleans()))


@settings(max_examples=150, deadline=None)
@given(reservations())
def test_whatever_the_quotas_are_the_fields_can_be_read_and_agree(found: Reservation) -> None:
    parsed: dict[str, http_sfv.List] = {}
    for name, value in headers(found, found.standings):
        parsed[name.decode()] = http_sfv.List()
        parsed[name.decode()].parse(value)
    told = [one for one in found.standings if one.quota.refuses_some]
    policies, states = parsed.get("RateLimit-Policy", []), parsed.get("RateLimit", [])
    assert len(policies) == len(states) == len(told)
    for policy, state, one in zip(policies, states, told, strict=True):
        assert type(policy.value) is str
        assert policy.value == state.value
        assert set(policy.params) in ({"q"}, {"q", "w"})
        assert policy.params["q"] == min(one.quota.limit or 0, 10**15 - 1)
        assert policy.params.get("w", 1) >= 1
        assert set(state.params) == {"r", "t"}
        assert state.params["r"] >= 0
        assert state.params["t"] >= 0
    error = refusal(found)
    assert (error is None) is found.admitted
    if error is not None and error.status == 429:
        refusing = [one for one in found.standings if one.refuses]
        listed = http_sfv.List()
        listed.parse(dict(error.headers)[b"RateLimit"])
        assert error.retry_after is not None
        assert len(listed) == len(refusing)
        assert all(error.retry_after >= member.params["t"] for member in listed)
    elif error is not None:
        assert error.retry_after is None
        assert error.headers == ()


def test_a_name_is_a_string_of_structured_fields_whatever_is_in_it() -> None:
    odd = Standing(numbers(1, name='a"b\\c\u00e9\n'), 0, 1, 1, 1)
    reservation = Reservation(ACCOUNT, 0, (odd, replace(odd, quota=numbers(2, DAY))))
    [(_, policies), (_, states)] = headers(reservation, [odd])
    assert policies == b'"a\\"b\\\\c??";q=1;w=86400, "numbers-per-day";q=2;w=86400'
    assert states == b'"a\\"b\\\\c??";r=0;t=1'
