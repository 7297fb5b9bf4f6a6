"""`ordertape quota`: in force from the next order on, with a gateway or without one."""

import asyncio
import os
import pwd
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audited import fill
from documents import documented
from gateways import Reply, as_json, ask, order_request
from ordertape.model import State
from ordertape.store.sqlite import SqliteStore
from ordertape.store.usage import UsageReader
from ordertape.testing import Respond, Scripted, order_created
from processes import ORDERTAPE, Running, running
from recorded import intent, outcome, settings
from terminals import on_terminal

Asked = Callable[..., tuple[int, str, str]]
Quota = Callable[..., tuple[int, str, str]]
CREATED = order_created("o-1")
FREE = ("--listen", "127.0.0.1:0", "--admin", "off")
OPERATOR = pwd.getpwuid(os.getuid()).pw_name
NAMED = ("--account", "9900012", "--quota", "per-month")
WHY = ("--reason", "as agreed")
MONTH = """
[[quotas]]
name = "per-month"
limit = {limit}
window = "month"
"""
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def configure(folder: Path, limit: int, more: str = "") -> None:
    (folder / "ordertape.toml").write_text(MONTH.format(limit=limit) + more, encoding="utf-8")


def ordered(gateway: Running, quantity: int) -> Reply:
    body = (
        "<Order><SiteId>743</SiteId><AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
        f"<Quantity>{quantity}</Quantity></AreaCodeSearchAndOrderType></Order>"
    )
    return asyncio.run(ask(gateway.port, order_request(body.encode())))


def timeless(printed: str) -> str:
    return re.sub(" +", " ", TIME.sub("TIME", printed))


@pytest.fixture
def quota(tmp_path: Path, here: Asked) -> Quota:
    def run(*arguments: str) -> tuple[int, str, str]:
        return here("quota", *arguments, cwd=tmp_path)

    return run


def test_a_change_holds_for_the_next_order_and_stays_across_a_kill_and_a_reload(
    tmp_path: Path, quota: Quota
) -> None:
    def limit() -> tuple[Any, ...]:
        code, printed, errors = quota("show", "--account", "9900012", "--json")
        assert (code, errors) == (0, "")
        [row] = as_json(printed)
        return row["limit"], row["source"], row["set_by"], row["used"]

    configure(tmp_path, 100)
    with Scripted([Respond(CREATED)] * 9).in_thread() as service:
        start = ("serve", "--upstream", service.url, *FREE)
        with running(*start, cwd=tmp_path) as gateway:
            assert ordered(gateway, 60).status == 201
            assert ordered(gateway, 41).status == 429
            assert quota("boost", *NAMED, "--by", "1", "--for", "2h", *WHY)[0] == 0
            assert ordered(gateway, 41).status == 201
            assert ordered(gateway, 1).status == 429
            assert quota("set", *NAMED, "--limit", "110", *WHY) == (
                0,
                "The limit of per-month for account 9900012 is 110; it was 100.\n",
                "",
            )
            assert (ordered(gateway, 11).status, ordered(gateway, 10).status) == (429, 201)
            gateway.kill()
        with running(*start, cwd=tmp_path) as gateway:
            assert limit() == (111, "set", OPERATOR, 111)
            assert ordered(gateway, 1).status == 429
            configure(tmp_path, 200)
            gateway.process.send_signal(signal.SIGHUP)
            gateway.logged("reloaded")
            assert limit() == (111, "set", OPERATOR, 111)
            assert ordered(gateway, 1).status == 429
            assert quota("set", *NAMED, "--reset", *WHY) == (
                0,
                "The limit of per-month for account 9900012 is 200 as configured; it was 110.\n",
                "",
            )
            assert limit() == (201, "file", None, 111)
            assert ordered(gateway, 90).status == 201
            assert quota("adjust", *NAMED, "--by", "-1", *WHY)[0] == 0
            assert (ordered(gateway, 2).status, ordered(gateway, 1).status) == (429, 201)
            configure(tmp_path, 300)  # what holds is what the gateway has, not what lies there
            assert limit() == (201, "file", None, 201)
        assert limit() == (301, "file", None, 201)
    code, printed, errors = quota("history", "--json")
    assert (code, errors) == (0, "")
    assert [(row["change"], row["old"], row["new"]) for row in as_json(printed)] == [
        ("adjusted", 201, 200),
        ("reset", 110, 200),
        ("set", 100, 110),
        ("boosted", 100, 101),
    ]
    assert {(row["operator"], row["reason"]) for row in as_json(printed)} == {
        (OPERATOR, "as agreed")
    }


def test_without_a_gateway_the_same_is_done_and_holds_when_one_starts(
    tmp_path: Path, quota: Quota
) -> None:
    configure(tmp_path, 10_000)
    db = tmp_path / "ordertape.db"
    waiting = intent(account="9900012", cost=5000, quantity=None, order_type="AreaCode")
    asyncio.run(fill(db, (waiting, outcome(State.IN_DOUBT))))
    said = (
        f"The exchange {waiting.id} counts for 3 numbers of account 9900012; it was 5000 numbers.\n"
    )
    assert quota("adjust", "--exchange", waiting.id, "--used", "3", *WHY) == (0, said, "")
    assert quota("adjust", "--exchange", "c-1", "--refund", *WHY) == (
        0,
        f"The exchange {waiting.id} counts for nothing of account 9900012; it was 3 numbers.\n",
        "",
    )
    assert quota("set", *NAMED, "--limit", "0", *WHY)[0] == 0
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        assert ordered(gateway, 1).status == 403
    assert quota("set", *NAMED, "--limit", "unlimited", *WHY) == (
        0,
        "The limit of per-month for account 9900012 is unlimited; it was 0.\n",
        "",
    )
    code, printed, errors = quota("history")
    assert (code, errors) == (0, "")
    assert timeless(printed) == (
        "when account quota change old -> new operator reason\n"
        f"TIME 9900012 per-month set 0 -> unlimited {OPERATOR} as agreed\n"
        f"TIME 9900012 per-month set 10000 -> 0 {OPERATOR} as agreed\n"
        f"TIME 9900012 every decided 3 -> nothing of {waiting.id} {OPERATOR} as agreed\n"
        f"TIME 9900012 every decided 5000 -> 3 of {waiting.id} {OPERATOR} as agreed\n"
    )
    with UsageReader(db) as reader:
        assert [one.exchange for one in reader.changes(quota="per-month")][2] == waiting.id


def test_a_name_that_several_exchanges_count_under_names_none_of_them(
    tmp_path: Path, quota: Quota
) -> None:
    configure(tmp_path, 10_000)
    twice = [
        intent(account=account, cost=5, quantity=5, customer_order_id="again")
        for account in ("9900012", "9900013")
    ]
    doubts = [(one, outcome(State.IN_DOUBT)) for one in twice]
    asyncio.run(fill(tmp_path / "ordertape.db", *doubts))
    said = (
        "ordertape: Several exchanges that count are named again; name one of them by its own id, "
        "which `ordertape audit list` shows.\n"
    )
    assert quota("adjust", "--exchange", "again", "--refund", *WHY) == (2, "", said)
    assert quota("adjust", "--exchange", twice[0].id, "--refund", *WHY)[0] == 0
    assert quota("adjust", "--exchange", "again", "--refund", *WHY) == (
        0,
        f"The exchange {twice[1].id} counts for nothing of account 9900013; it was 5 numbers.\n",
        "",
    )


async def _use(db: Path) -> None:
    store = await SqliteStore.start(db, settings=settings())
    for cost, ending in ((2000, State.COMPLETED), (1000, State.IN_DOUBT)):
        order = intent(cost=cost)
        await store.settle((await store.open(order)).handle, order.id, outcome(ending))
    await store.close()


@pytest.fixture
def used(tmp_path: Path) -> Path:
    """Where account 14 has used 3000 numbers, 1000 of them held."""
    more = """
[[quotas]]
name = "orders"
unit = "orders"
limit = "unlimited"
window = "rolling"
seconds = 3600
mode = "shadow"
[accounts.14.quotas.per-month]
boost = 500
boost_until = 2099-01-01T00:00:00Z
[accounts.9900007]
"""
    configure(tmp_path, 4000, more)
    asyncio.run(_use(tmp_path / "ordertape.db"))
    return tmp_path


TABLE = """\
account quota of the limit used held settled left limit limit from window until mode
14 per-month █████████▒▒▒▒▒░░░░░░ 66 % 3000 1000 2000 1500 4500 numbers \
file, account + 500 until TIME month UTC TIME enforce
14 orders 2 1 1 unlimited file rolling 3600 shadow
"""


def test_show_draws_what_is_settled_held_and_free(used: Path, quota: Quota) -> None:
    code, printed, errors = quota("show")
    assert (code, timeless(printed), errors) == (0, TABLE, "")
    plain = subprocess.run(
        [ORDERTAPE, "quota", "show"],
        cwd=used,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert timeless(plain) == TABLE.translate(str.maketrans("█▒░", "#+."))


def test_on_a_narrow_terminal_a_quota_has_four_lines_and_a_change_two(used: Path) -> None:
    narrow = on_terminal("quota", "show", "--account", "14", cwd=used, columns=80)
    assert TIME.sub("TIME", narrow).splitlines() == [
        "14  per-month  █████████▒▒▒▒▒░░░░░░  66 %",
        "  3000 used (1000 of them held) of 4500 numbers, 1500 left, enforce",
        "  month UTC until TIME",
        "  limit from file, account + 500 until TIME",
        "14  orders",
        "  2 used (1 of them held) of unlimited, shadow",
        "  rolling 3600",
        "  limit from file",
    ]
    assert max(map(len, narrow.splitlines())) <= 80
    wide = on_terminal("quota", "show", "--account", "14", cwd=used, columns=240)
    assert timeless(wide.replace("\x1b[1m", "").replace("\x1b[0m", "")) == TABLE
    hostile = "as\x1b[2Jagreed" + "!" * 80
    arguments = ("set", "--account", "14", "--quota", "orders", "--limit", "7")
    on_terminal("quota", *arguments, "--reason", hostile, cwd=used, columns=80)
    lines = on_terminal("quota", "history", cwd=used, columns=80).splitlines()
    assert [TIME.sub("TIME", line) for line in lines] == [
        "TIME  14  orders  set  unlimited -> 7",
        f"  {OPERATOR}: as\\x1b[2Jagreed{'!' * 80}",
    ]


@pytest.mark.usefixtures("used")
def test_json_lines_hold_the_documented_fields(quota: Quota) -> None:
    code, printed, errors = quota("show", "--json")
    assert (code, errors) == (0, "")
    first, second = as_json(printed)
    assert TIME.fullmatch(first.pop("ends"))
    assert first == {
        "account": "14",
        "quota": "per-month",
        "unit": "numbers",
        "window": "month UTC",
        "limit": 4500,
        "source": "file, account",
        "set_by": None,
        "boosts": [{"by": 500, "until": "2099-01-01T00:00:00.000Z"}],
        "used": 3000,
        "held": 1000,
        "settled": 2000,
        "remaining": 1500,
        "mode": "enforce",
    }
    assert (second["limit"], second["remaining"], second["ends"]) == (None, None, None)
    assert documented("quota show --json") == list(second)

    until = ("--until", "2099-01-01")
    assert quota("boost", "--account", "14", "--quota", "per-month", "--by", "9", *until, *WHY) == (
        0,
        (
            "The limit of per-month for account 14 is 4509 until 2099-01-01T00:00:00.000Z; "
            "it was 4500.\n"
        ),
        "",
    )
    code, printed, errors = quota("history", "--json")
    assert (code, errors) == (0, "")
    [change] = as_json(printed)
    assert TIME.fullmatch(change["at"])
    assert change == {
        "at": change["at"],
        "change": "boosted",
        "account": "14",
        "quota": "per-month",
        "exchange": None,
        "unit": "numbers",
        "old": 4500,
        "new": 4509,
        "amount": 9,
        "until": "2099-01-01T00:00:00.000Z",
        "operator": OPERATOR,
        "reason": "as agreed",
    }
    assert documented("quota history --json") == list(change)


@pytest.mark.usefixtures("used")
def test_a_limit_that_leaves_something_out_says_so(quota: Quota) -> None:
    assert quota("set", "--account", "7", "--quota", "orders", "--limit", "1", *WHY)[0] == 0
    assert quota("set", "--account", "7", "--quota", "orders", "--limit", "2", *WHY)[0] == 0
    _, printed, errors = quota("show", "--limit", "1", "--json")
    assert [row["account"] for row in as_json(printed)] == ["7", "7"]
    assert errors == "There are more than these 1 accounts; --limit N lists N, --account one.\n"
    _, printed, errors = quota("history", "--limit", "1", "--json")
    assert [row["new"] for row in as_json(printed)] == [2]
    assert errors == "There are more than these 1; --limit N lists N.\n"
    assert quota("history", "--account", "8") == (0, "No change matches.\n", "")


@pytest.mark.usefixtures("used")
def test_an_account_of_which_nothing_is_recorded_may_be_misspelt(quota: Quota) -> None:
    named = ("--account", "41", "--quota", "orders", "--limit", "1")
    assert quota("set", *named, *WHY) == (
        0,
        "The limit of orders for account 41 is 1; it was unlimited.\n",
        "ordertape: Nothing is recorded of account 41; is it new?\n",
    )
    assert quota("set", *named, *WHY)[2] == ""
    configured = ("--account", "9900007", "--quota", "orders", "--limit", "1")
    assert quota("set", *configured, *WHY)[2] == ""
    code, _, errors = quota("show", "--account", "114")
    assert code == 0
    assert errors == "ordertape: Nothing is recorded of account 114; did you mean 14?\n"


SAY = "Say either --account, --quota and --by, or --exchange with one of --used and --refund"


@pytest.mark.usefixtures("used")
@pytest.mark.parametrize(
    ("arguments", "left", "sentence"),
    [
        (
            "set --account 14 --quota ordres --limit 1",
            2,
            "Account 14 has no quota ordres; did you mean orders?",
        ),
        (
            "set --account 14 --quota orders --reset",
            2,
            "No limit of orders is set for account 14; the file's is in force.",
        ),
        (
            "set --account 14 --quota orders",
            2,
            "Say one of --limit and --reset. See `ordertape quota set --help`.",
        ),
        (
            "set --account 14 --quota orders --limit -1",
            2,
            (
                "Invalid value for '--limit': '-1' is neither a whole number nor unlimited. "
                "See `ordertape quota set --help`."
            ),
        ),
        (
            "boost --account 14 --quota orders --by 1 --for 1h",
            2,
            "orders is unlimited for account 14; nothing to boost.",
        ),
        (
            "boost --account 14 --quota per-month --by 1 --until 1h",
            2,
            "The boost would end before it began; name a later --until.",
        ),
        (
            "boost --account 14 --quota per-month --by 1",
            2,
            "Say one of --until and --for. See `ordertape quota boost --help`.",
        ),
        (
            "boost --account 14 --quota per-month --by 1 --for 999999999d",
            2,
            (
                "A boost ends within the calendar; for ever, use `quota set`. "
                "See `ordertape quota boost --help`."
            ),
        ),
        (
            "boost --account 14 --quota per-month --by 1 --for soon",
            2,
            (
                "Invalid value for '--for': 'soon' is no length of time such as 15m, 2h or 7d. "
                "See `ordertape quota boost --help`."
            ),
        ),
        (
            "adjust --account 14 --quota per-month",
            2,
            f"{SAY}. See `ordertape quota adjust --help`.",
        ),
        (
            "adjust --exchange 0192f001 --used 1 --refund",
            2,
            f"{SAY}. See `ordertape quota adjust --help`.",
        ),
        (
            "adjust --account 14 --exchange 0192f001 --used 1",
            2,
            f"{SAY}. See `ordertape quota adjust --help`.",
        ),
        (
            "adjust --exchange nothing --used 1",
            1,
            "No exchange in ordertape.db has the id nothing; `audit list` names them.",
        ),
    ],
)
def test_what_is_wrong_is_one_sentence_and_changes_nothing(
    quota: Quota, arguments: str, left: int, sentence: str
) -> None:
    assert quota(*arguments.split(), *WHY) == (left, "", f"ordertape: {sentence}\n")
    assert quota("history") == (0, "No change matches.\n", "")


def test_where_there_is_no_store_or_no_quota_it_is_said_and_nothing_is_made(
    tmp_path: Path, quota: Quota
) -> None:
    missing = "ordertape: There is no store ordertape.db; name it with --db.\n"
    for arguments in (("show",), ("history",), ("set", *NAMED, "--limit", "1", *WHY)):
        assert quota(*arguments) == (2, "", missing)
    assert list(tmp_path.iterdir()) == []
    with running("serve", "--sandbox", *FREE, cwd=tmp_path):
        assert quota("show") == (0, "No quota is configured; add one as [[quotas]].\n", "")
    configure(tmp_path, 1)
    assert quota("show") == (0, "No account has ordered yet.\n", "")
    assert quota("history") == (0, "No change matches.\n", "")
