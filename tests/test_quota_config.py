"""Quotas as they are configured: what they come to, and what is said of a wrong one."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ordertape import build
from ordertape.config import Settings, examine, load
from ordertape.config.quotas import QuotaOverride, QuotaSection
from ordertape.errors import ConfigurationError
from ordertape.quota import Boost, Burst, Calendar, Mode, Period, Quota, Quotas, Rolling, Unit

REFERENCE = Path(__file__).parent.parent / "docs" / "reference.md"
DAY = '[[quotas]]\nname = "day"\nlimit = 100\nwindow = "day"\n'
BURST = '[[quotas]]\nname = "burst"\nwindow = "burst"\nsize = 20\nper_second = 5\n'
NEW_YEAR = int(datetime(2027, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "ordertape.toml"


def configured(file: Path, text: str) -> Quotas:
    file.write_text(text, encoding="utf-8")
    return build.quotas(load(file, {}).settings)


def problems(file: Path, text: str) -> list[str]:
    file.write_text(text, encoding="utf-8")
    return [str(problem).removeprefix(f"{file}:") for problem in examine(file, {}).problems]


def test_without_any_nothing_is_limited(file: Path) -> None:
    assert configured(file, "") == Quotas()


def test_every_window_and_every_field_is_taken_as_it_is_written(file: Path) -> None:
    text = """
v2_orders = "pass"
quota_headers = "always"
quota_refunds = [503, 501]
[[quotas]]
name = "numbers-per-day"
unit = "numbers"
limit = 10000
window = "day"
zone = "America/New_York"
warn_at = 1
[[quotas]]
name = "orders-per-month"
unit = "orders"
limit = "unlimited"
window = "month"
mode = "shadow"
[[quotas]]
name = "rolling"
limit = 7
window = "rolling"
seconds = 3600
[[quotas]]
name = "burst"
window = "burst"
per_second = 0.5
size = 20
"""
    assert configured(file, text) == Quotas(
        everyone=(
            Quota(
                "numbers-per-day",
                Unit.NUMBERS,
                10_000,
                Calendar(Period.DAY, "America/New_York"),
                warn_at=1,
            ),
            Quota("orders-per-month", Unit.ORDERS, None, Calendar(Period.MONTH), mode=Mode.SHADOW),
            Quota("rolling", Unit.NUMBERS, 7, Rolling(3600)),
            Quota("burst", Unit.ORDERS, 20, Burst(0.5), warn_at=None),
        ),
        pass_v2=True,
        refunded=frozenset({501, 503}),
        headers="always",
    )


def test_an_account_has_what_names_it_and_its_own_fields_of_what_covers_it(file: Path) -> None:
    text = f"""
{DAY}
{BURST}
[[quotas]]
name = "trial"
limit = 5
window = "week"
accounts = ["7", "8"]
[accounts.8.quotas.day]
limit = 0
mode = "shadow"
warn_at = 0.5
[accounts.9.quotas.day]
boost = 50
boost_until = 2027-01-01T01:00:00+01:00
[accounts.9.quotas.burst]
size = "unlimited"
per_second = 7
[accounts.10.rules.trim-whitespace]
severity = "off"
"""
    day = Quota("day", Unit.NUMBERS, 100, Calendar(Period.DAY))
    burst = Quota("burst", Unit.ORDERS, 20, Burst(5), warn_at=None)
    trial = Quota("trial", Unit.NUMBERS, 5, Calendar(Period.WEEK))
    found = configured(file, text)
    assert found == Quotas(
        everyone=(day, burst),
        accounts={
            "7": (day, burst, trial),
            "8": (
                Quota(
                    *("day", Unit.NUMBERS, 0, Calendar(Period.DAY), Mode.SHADOW, 0.5),
                    source="file, account",
                ),
                burst,
                trial,
            ),
            "9": (
                Quota(
                    *("day", Unit.NUMBERS, 100, Calendar(Period.DAY)),
                    boosts=(Boost(50, NEW_YEAR),),
                    source="file, account",
                ),
                Quota(
                    *("burst", Unit.ORDERS, None, Burst(7)), warn_at=None, source="file, account"
                ),
            ),
        },
    )
    assert [one.at(NEW_YEAR - 1).limit for one in found.of("9")] == [150, None]
    assert [one.at(NEW_YEAR).limit for one in found.of("9")] == [100, None]
    assert found.of("10") == found.of(None) == (day, burst)


def test_variables_set_quotas_too(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(
        "ORDERTAPE_QUOTAS", '[{"name": "day", "limit": 3, "window": "day", "accounts": ["7"]}]'
    )
    monkeypatch.setenv("ORDERTAPE_QUOTA_REFUNDS", "[503]")
    monkeypatch.setenv("ORDERTAPE_ACCOUNTS__7__QUOTAS__DAY__BOOST", "4")
    monkeypatch.setenv("ORDERTAPE_ACCOUNTS__7__QUOTAS__DAY__BOOST_UNTIL", "2027-01-01T00:00:00Z")
    assert configured(file, BURST) == Quotas(
        accounts={
            "7": (
                Quota(
                    *("day", Unit.NUMBERS, 3, Calendar(Period.DAY)),
                    boosts=(Boost(4, NEW_YEAR),),
                    source="file, account",
                ),
            )
        },
        refunded=frozenset({503}),
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            f'{DAY}zone = "America/New_Yrok"',
            (
                "5: The setting quotas.0.zone is wrong: there is no such time zone; "
                "did you mean America/New_York?"
            ),
        ),
        (
            f'{DAY}zone = "berlin"',
            (
                "5: The setting quotas.0.zone is wrong: there is no such time zone; "
                "did you mean Europe/Berlin?"
            ),
        ),
        (
            f'{DAY}zone = "../etc"',
            (
                "5: The setting quotas.0.zone is wrong: there is no such time zone; "
                'write it like "America/New_York".'
            ),
        ),
        (
            f"{DAY}seconds = 60",
            (
                "5: The setting quotas.0.seconds is wrong: a quota of the window day takes "
                "limit, zone, warn_at instead; leave it out."
            ),
        ),
        (
            '[[quotas]]\nname = "day"\nwindow = "day"',
            (
                "1: The setting quotas.0.limit is wrong: the window day needs it; "
                "add it, such as limit = 10000."
            ),
        ),
        (
            f'{DAY}[[quotas]]\nname = "roll"\nlimit = 1\nwindow = "rolling"',
            (
                "5: The setting quotas.1.seconds is wrong: the window rolling needs it; "
                "add it, such as seconds = 3600."
            ),
        ),
        (
            f"{BURST}limit = 5",
            (
                "6: The setting quotas.0.limit is wrong: a quota of the window burst takes "
                "size, per_second instead; leave it out."
            ),
        ),
        (
            f'{BURST}unit = "numbers"',
            "6: The setting quotas.0.unit is wrong: a burst counts orders; leave it out.",
        ),
        (
            f"{BURST}warn_at = 0.5",
            (
                "6: The setting quotas.0.warn_at is wrong: a quota of the window burst takes "
                "size, per_second instead; leave it out."
            ),
        ),
        (
            '[[quotas]]\nname = "burst"\nwindow = "burst"\nsize = 20',
            (
                "1: The setting quotas.0.per_second is wrong: the window burst needs it; "
                "add it, such as per_second = 5."
            ),
        ),
        (
            DAY.replace("100", "-1"),
            (
                "3: The setting quotas.0.limit is wrong: it is a whole number from 0 to "
                '1000000000000, or "unlimited".'
            ),
        ),
        (
            DAY.replace("100", "true"),
            (
                "3: The setting quotas.0.limit is wrong: it is a whole number from 0 to "
                '1000000000000, or "unlimited".'
            ),
        ),
        (
            f"{DAY}warn_at = 0",
            "5: The setting quotas.0.warn_at is wrong: Input should be greater than 0; correct it.",
        ),
        (
            f"{DAY}warn_at = 1.1",
            (
                "5: The setting quotas.0.warn_at is wrong: Input should be less than or equal to "
                "1; correct it."
            ),
        ),
        (
            DAY.replace('"day"\nl', '"Day 1"\nl'),
            (
                "2: The setting quotas.0.name is wrong: String should match pattern "
                "'^[a-z0-9][a-z0-9-]*$'; correct it."
            ),
        ),
        (
            f"{DAY}limits = 4",
            "5: There is no setting quotas.0.limits; did you mean quotas.0.limit?",
        ),
        (
            f"{DAY}accounts = [9900012]",
            (
                '5: The setting quotas.0.accounts is wrong: it is "*", or a list of account ids, '
                'such as ["9900012"].'
            ),
        ),
        (
            f'{DAY}accounts = "9900012"',
            (
                '5: The setting quotas.0.accounts is wrong: it is "*", or a list of account ids, '
                'such as ["9900012"].'
            ),
        ),
        (DAY + DAY, "6: There are two quotas day (quotas.0); rename one."),
        (
            f"{DAY}[accounts.7.quotas.dya]\nlimit = 4",
            "5: There is no quota dya (accounts.7.quotas.dya); did you mean day?",
        ),
        (
            "[accounts.7.quotas.day]\nlimit = 4",
            "1: There is no quota day (accounts.7.quotas.day); there are none.",
        ),
        (
            f'{DAY}accounts = ["8"]\n[accounts.7.quotas.day]\nlimit = 4',
            (
                "6: The quota day does not cover account 7; add it to the quota's accounts, "
                "or leave accounts.7.quotas.day out."
            ),
        ),
        (
            f"{BURST}[accounts.7.quotas.burst]\nlimit = 4",
            (
                "7: The setting accounts.7.quotas.burst.limit is wrong: a quota of the window "
                "burst takes size, per_second instead; leave it out."
            ),
        ),
        (
            f"{DAY}[accounts.7.quotas.day]\nsize = 4",
            (
                "6: The setting accounts.7.quotas.day.size is wrong: a quota of the window day "
                "takes limit, zone, warn_at instead; leave it out."
            ),
        ),
        (
            f"{DAY}[accounts.7.quotas.day]\nboost = 4",
            (
                "5: The setting accounts.7.quotas.day.boost_until is wrong: a boost ends; add it, "
                "such as boost_until = 2026-12-01T00:00:00Z."
            ),
        ),
        (
            f"{DAY}[accounts.7.quotas.day]\nboost_until = 2027-01-01T00:00:00Z",
            (
                "6: The setting accounts.7.quotas.day.boost_until is wrong: there is no boost that "
                "would end; add boost = 1000, or leave it out."
            ),
        ),
        (
            f"{DAY}[accounts.7.quotas.day]\nboost = 4\nboost_until = 2027-01-01T00:00:00",
            (
                "7: The setting accounts.7.quotas.day.boost_until is wrong: it is a moment with "
                "its offset, such as 2026-12-01T00:00:00Z."
            ),
        ),
        (
            (
                f'{DAY}[accounts.7.quotas.day]\nlimit = "unlimited"\nboost = 4\n'
                "boost_until = 2027-01-01T00:00:00Z"
            ),
            (
                "7: The setting accounts.7.quotas.day.boost is wrong: the quota is unlimited for "
                "this account; leave it out."
            ),
        ),
        (
            "quota_refunds = [404]",
            (
                "1: The setting quota_refunds.0 is wrong: Input should be greater than or equal to "
                "500; correct it."
            ),
        ),
        (
            'v2_orders = "count"',
            "1: The setting v2_orders is wrong: Input should be 'refuse' or 'pass'; correct it.",
        ),
        (
            "[accounts.7]\ncredentials = ['canary:canary']",
            (
                "2: The setting accounts.7.credentials.0 is wrong: it is no digest of credentials; "
                "`ordertape account fingerprint` prints one."
            ),
        ),
        (
            "[accounts.7]\ncredentials = []",
            (
                "2: The setting accounts.7.credentials is wrong: nothing could be used with the "
                "account; add a digest, or leave it out."
            ),
        ),
    ],
)
def test_whatever_is_wrong_is_one_problem_with_its_line(file: Path, text: str, said: str) -> None:
    assert problems(file, text) == [said]


def test_what_is_wrong_with_one_quota_hides_nothing_of_others(file: Path) -> None:
    text = (
        f"{DAY.replace('100', '-1')}zone = 'Nowhere'\n{BURST}limit = 1\n{DAY}"
        "[accounts.7.quotas.dya]\nboost = 1\n[accounts.7.quotas.burst]\nboost_until = 5\nlimt = 1\n"
    )
    assert [re.split(" is wrong|;", one)[0] for one in problems(file, text)] == [
        "3: The setting quotas.0.limit",
        "5: The setting quotas.0.zone",
        "11: The setting quotas.1.limit",
        "13: There are two quotas day (quotas.0)",
        "16: The setting accounts.7.quotas.dya.boost_until",
        "19: The setting accounts.7.quotas.burst.boost_until",
        "20: There is no setting accounts.7.quotas.burst.limt",
    ]


def test_settings_that_were_never_read_from_a_file_are_checked_as_well() -> None:
    day = {"name": "day", "limit": 1, "window": "day"}
    settings = Settings.model_validate({"quotas": [day, day]})
    with pytest.raises(ConfigurationError) as error:
        build.quotas(settings)
    assert str(error.value) == "There are two quotas day (quotas.0); rename one."


def test_what_judges_orders_without_sending_them_counts_nothing(file: Path) -> None:
    file.write_text(f"{DAY}[accounts.7]\ncredentials = ['ordertape:01234567:{'0' * 16}']")
    settings = load(file, {}).settings
    policy = build.admission_policy(settings)
    assert (policy.quotas, policy.credentials) == (Quotas(), {})
    policy = build.admission_policy(settings, "01234567")
    assert policy.quotas == build.quotas(settings)
    assert policy.credentials == {"7": frozenset({f"ordertape:01234567:{'0' * 16}"})}


def test_the_reference_says_of_every_field_what_it_says_of_itself() -> None:
    section = REFERENCE.read_text("utf-8").partition("### Quotas\n")[2].partition("\n### ")[0]
    rows = re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", section, re.MULTILINE)
    fields = (*QuotaSection.model_fields.items(), *QuotaOverride.model_fields.items())
    assert rows == [(name, field.description) for name, field in fields]
