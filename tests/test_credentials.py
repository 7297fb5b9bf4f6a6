"""Accounts that are tied to their credentials: who may order, and what is never told of them."""

import asyncio
import base64
import os
import pty
import re
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateways import ORDER, ask, gateway
from ordertape.cli.account import command
from ordertape.errors import StartUpError
from ordertape.model import Charge, Kind, State
from ordertape.store.key import load_key
from ordertape.store.reading import Filter, Reader, Row
from ordertape.testing import Respond, Scripted, order_created, reply, unauthorized
from processes import ORDERTAPE, Running, running
from recorded import everything_in

ACCOUNT = "9900012"
USER, TOKEN = "u\u00e9ser:canary-word:2", "canary.token~1"
BASIC = b"Basic " + base64.b64encode(USER.encode())
BEARER = b"Bearer " + TOKEN.encode()
OTHER = b"Basic " + base64.b64encode(b"user:canary-other")
CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
PATH = f"/accounts/{ACCOUNT}/orders".encode()
FREE = ("--listen", "127.0.0.1:0", "--admin", "off")
QUOTA = {"name": "numbers-per-day", "limit": 10, "window": "day"}
REFUSAL = (
    f"These credentials are not those of account {ACCOUNT}; use its own, or send the request to "
    "the account that they belong to."
)


@dataclass(frozen=True)
class Keyed:
    """A key that several stores use, and what it makes of the credentials."""

    file: Path
    basic: str
    bearer: str


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Keyed:
    folder = tmp_path_factory.mktemp("keyed")
    db = folder / "ordertape.db"
    return Keyed(folder / "ordertape.db.key", fingerprint(db, USER), fingerprint(db, TOKEN + "\n"))


def fingerprint(db: Path, line: str, *options: str) -> str:
    """What the command prints, which is no more than the digest."""
    done = CliRunner().invoke(command, ["fingerprint", "--db", str(db), *options], input=line)
    assert (done.exit_code, done.stderr) == (0, ""), done
    return done.stdout.removesuffix("\n")


def request(
    authorization: bytes | None, *, method: bytes = b"POST", path: bytes = PATH, body: bytes = ORDER
) -> bytes:
    lines = [
        b"%b %b HTTP/1.1" % (method, path),
        b"Host: gateway.example",
        *([] if authorization is None else [b"Authorization: " + authorization]),
        b"Content-Type: application/xml",
        b"Connection: close",
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join((*lines, b"", body))


@asynccontextmanager
async def guarded(
    folder: Path, keyed: Keyed, answer: bytes = CREATED, **settings: Any
) -> AsyncIterator[tuple[int, Scripted]]:
    """A gateway's port whose account has the user and the token, and the service behind it."""
    account = {"credentials": [keyed.basic, keyed.bearer]}
    async with (
        Scripted([Respond(answer)]) as service,
        gateway(
            folder,
            upstream=service.url,
            key_file=keyed.file,
            accounts={ACCOUNT: account},
            quotas=[QUOTA],
            **settings,
        ) as serving,
    ):
        yield serving.port, service


def recorded(folder: Path) -> list[Row]:
    with Reader(folder / "ordertape.db") as reader:
        return list(reader.list(Filter(newest_first=False)))


async def test_wrong_credentials_are_refused_in_the_form_of_the_api_and_count_nothing(
    tmp_path: Path, keyed: Keyed
) -> None:
    async with guarded(tmp_path, keyed) as (port, service):
        answer = await ask(port, request(OTHER))
        assert service.attempts == []
    assert (answer.status, answer.code) == (403, "94031")
    assert REFUSAL.encode() in answer.body
    assert answer.headers["ordertape-state"] == "refused"
    assert not {"retry-after", "www-authenticate", "ratelimit"} & answer.headers.keys()
    [row] = recorded(tmp_path)
    assert (row.state, row.kind, row.status) == (State.REFUSED, Kind.ORDER, 403)
    assert (row.account, row.reason, row.used) == (ACCOUNT, REFUSAL, None)


async def test_each_of_its_own_credentials_passes_and_counts_and_others_are_not_asked(
    tmp_path: Path, keyed: Keyed
) -> None:
    asked = (BASIC, PATH), (BEARER, PATH), (OTHER, b"/accounts/7/orders"), (OTHER, PATH)
    async with guarded(tmp_path, keyed) as (port, _):
        answers = [await ask(port, request(one, path=path)) for one, path in asked]
    assert [answer.status for answer in answers] == [201, 201, 201, 403]
    assert [(row.account, row.used) for row in recorded(tmp_path)] == [
        (ACCOUNT, 1),
        (ACCOUNT, 1),
        ("7", 1),
        (ACCOUNT, None),
    ]
    with Reader(tmp_path / "ordertape.db") as reader:
        first, second, *_ = [reader.show(row.id) for row in recorded(tmp_path)]
    assert [
        full and full.messages["received"].headers.get(b"authorization") for full in (first, second)
    ] == [f"Basic {keyed.basic}".encode(), f"Bearer {keyed.bearer}".encode()]


async def test_without_credentials_the_service_asks_for_them_and_nothing_stays_counted(
    tmp_path: Path, keyed: Keyed
) -> None:
    async with guarded(tmp_path, keyed, unauthorized()) as (port, service):
        answer = await ask(port, request(None))
        assert len(service.attempts) == 1
    assert answer.status == 401
    assert answer.headers["www-authenticate"]
    [row] = recorded(tmp_path)
    assert (row.state, row.charge, row.used) == (State.COMPLETED, Charge.REFUNDED, None)


async def test_whatever_is_not_clearly_its_own_is_refused(tmp_path: Path, keyed: Keyed) -> None:
    secret = BASIC.partition(b" ")[2]
    many = (
        (OTHER, BASIC),
        (BASIC, OTHER),
        (b"Basic",),
        (b"Basic  x" + secret,),
        (BASIC + b", " + BASIC,),
        (f"Basic {keyed.basic}".encode(),),
    )
    async with guarded(tmp_path, keyed) as (port, service):
        answers = [await ask(port, request(b"\r\nAuthorization: ".join(one))) for one in many]
        assert service.attempts == []
    assert [answer.status for answer in answers] == [403] * len(many)


async def test_blanks_make_no_difference_and_an_empty_line_is_none(
    tmp_path: Path, keyed: Keyed
) -> None:
    secret = BASIC.partition(b" ")[2]
    async with guarded(tmp_path, keyed) as (port, service):
        answers = [await ask(port, request(one)) for one in (b"Basic  " + secret, b"", b" ")]
        assert len(service.attempts) == 3
    assert [answer.status for answer in answers] == [201] * 3


@pytest.mark.parametrize(
    ("method", "path"),
    [
        (b"GET", PATH),
        (b"GET", PATH + b"/34adcd9f?x=1"),
        (b"PUT", b"/v1.0/accounts/9900012/sites"),
        (b"DELETE", b"/accounts/9900012"),
        (b"POST", b"/v2/accounts/9900012/orders"),
    ],
)
async def test_every_path_of_the_account_is_tied(
    tmp_path: Path, keyed: Keyed, method: bytes, path: bytes
) -> None:
    async with guarded(tmp_path, keyed, reply(200, b"ok"), v2_orders="pass") as (port, service):
        answers = [
            await ask(port, request(one, method=method, path=path, body=b""))
            for one in (OTHER, BASIC, None)
        ]
        assert len(service.attempts) == 2
    assert [answer.status for answer in answers] == [403, 200, 200]


async def test_another_spelling_of_the_account_is_no_way_round(
    tmp_path: Path, keyed: Keyed
) -> None:
    asked = [
        request(one, path=path)
        for one in (BASIC, OTHER)
        for path in (b"/accounts/%39900012/orders", b"/accounts/9900012;a/orders")
    ]
    async with guarded(tmp_path, keyed) as (port, service):
        answers = [await ask(port, one) for one in asked]
        assert service.attempts == []
    assert [(answer.status, answer.code) for answer in answers] == [(400, "94003")] * 4
    assert [(row.state, row.used) for row in recorded(tmp_path)] == [(State.REFUSED, None)] * 4


@pytest.mark.parametrize(
    "path", [b"/accounts/%39900012/sites", b"/Accounts/9900012", b"/accounts/1/../9900012/x"]
)
async def test_a_path_that_a_server_may_read_as_the_account_is_tied_too(
    tmp_path: Path, keyed: Keyed, path: bytes
) -> None:
    async with guarded(tmp_path, keyed, reply(200, b"ok")) as (port, service):
        answers = [
            await ask(port, request(one, method=b"GET", path=path, body=b""))
            for one in (OTHER, BASIC, None)
        ]
        assert len(service.attempts) == 2
    assert [answer.status for answer in answers] == [403, 200, 200]


async def test_a_digest_of_another_key_is_refused_at_the_start(
    tmp_path: Path, keyed: Keyed
) -> None:
    key_id = keyed.basic.split(":")[1]
    foreign = Keyed(keyed.file, keyed.basic, f"ordertape:00000000:{'0' * 16}")
    with pytest.raises(StartUpError) as error:
        async with guarded(tmp_path, foreign):
            pass
    assert str(error.value) == (
        f"The setting accounts.{ACCOUNT}.credentials.1 was made with the key 00000000, and the "
        f"store's is {key_id}; make it anew with `ordertape account fingerprint`."
    )


def asked(serving: Running, authorization: bytes) -> int:
    return asyncio.run(ask(serving.port, request(authorization))).status


def test_credentials_and_quotas_are_read_anew_and_no_secret_is_left_anywhere(
    tmp_path: Path,
) -> None:
    file = tmp_path / "ordertape.toml"
    quota = '[[quotas]]\nname = "day"\nwindow = "day"\nlimit = {}\n'
    account = f'[accounts.{ACCOUNT}]\ncredentials = ["{{}}"]\n'
    file.write_text(quota.format(5), encoding="utf-8")
    digests = [fingerprint(tmp_path / "ordertape.db", line) for line in (USER, TOKEN)]
    statuses = []

    def reload(count: int) -> None:
        serving.process.send_signal(signal.SIGHUP)
        serving.logged("reloaded", count)

    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as serving:
        statuses.append(asked(serving, BASIC))
        file.write_text(quota.format(1) + account.format(digests[0]), encoding="utf-8")
        reload(1)
        statuses += [asked(serving, BASIC), asked(serving, BEARER)]
        file.write_text(quota.format(2) + account.format(digests[1]), encoding="utf-8")
        reload(2)
        statuses += [asked(serving, BASIC), asked(serving, BEARER), asked(serving, BEARER)]

        wrong = digests[1].replace(digests[1][10:18], "0" * 8)
        file.write_text(quota.format(9) + account.format(wrong), encoding="utf-8")
        serving.process.send_signal(signal.SIGHUP)
        reason = serving.logged("reload-refused")["reason"]
        statuses.append(asked(serving, BEARER))
        assert not any("restart-needed" in line for line in serving.errors)
        assert serving.stop() == 0
        said = "".join((*serving.output, *serving.errors)).encode()
    assert statuses == [201, 429, 403, 403, 201, 429, 429]
    assert reason.startswith(f"ordertape.toml:6: The setting accounts.{ACCOUNT}.credentials.0 was")
    file.unlink()
    left = everything_in(tmp_path) + said
    for secret in (b"canary", BASIC.partition(b" ")[2], base64.b64encode(TOKEN.encode())):
        assert secret not in left


def test_the_key_is_made_where_there_is_none_and_the_store_is_the_configured_one(
    tmp_path: Path,
) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(f"db = '{tmp_path / 'mine.db'}'\n", encoding="utf-8")
    asked = ["fingerprint", "--config", str(file)]
    first, second = (CliRunner().invoke(command, asked, input=USER) for _ in range(2))
    _, key_id = load_key(tmp_path / "mine.db", None)
    assert re.fullmatch(f"ordertape:{key_id}:[0-9a-f]{{16}}\n", first.stdout)
    assert second.stdout == first.stdout == fingerprint(tmp_path / "mine.db", USER + "\r\n") + "\n"
    assert {path.name for path in tmp_path.iterdir()} == {"gateway.toml", "mine.db.key"}


def test_a_token_may_have_a_colon_and_a_password_blanks(tmp_path: Path) -> None:
    db = tmp_path / "ordertape.db"
    named = ("a:b", "a:b c d", "a: ", ":")
    digests = {fingerprint(db, line) for line in named} | {fingerprint(db, "a:b", "--token")}
    assert len(digests) == len(named) + 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("", "Write user:password or a token on standard input, as one line."),
        ("\n", "Write user:password or a token on standard input, as one line."),
        ("a:canary\nb:canary\n", "Write user:password or a token on standard input, as one line."),
        ("canary canary", "A token has no blanks; write that, or user:password."),
        (
            "Authorization: Bearer canary",
            "Write user:password or the token alone, without what precedes it.",
        ),
        ("basic canary", "Write user:password or the token alone, without what precedes it."),
    ],
)
def test_what_is_neither_is_told_and_not_repeated(tmp_path: Path, line: str, said: str) -> None:
    asked = ["fingerprint", "--db", str(tmp_path / "ordertape.db")]
    done = CliRunner().invoke(command, asked, input=line)
    assert (str(done.exception), done.output) == (said, "")
    assert isinstance(done.exception, StartUpError)
    assert list(tmp_path.iterdir()) == []


def test_a_terminal_does_not_show_what_is_typed(tmp_path: Path) -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.execv(ORDERTAPE, [ORDERTAPE, "account", "fingerprint"])  # noqa: S606 - no shell wanted
    overdue = threading.Timer(30, os.kill, (process, signal.SIGKILL))
    overdue.start()
    printed = b""
    while b"token: " not in printed:
        printed += os.read(terminal, 4096)
    os.write(terminal, USER.encode() + b"\n")
    with suppress(OSError):  # Linux says EIO where the last one has let go of the terminal
        while piece := os.read(terminal, 4096):
            printed += piece
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    overdue.cancel()
    os.close(terminal)
    digest = fingerprint(tmp_path / "ordertape.db", USER)
    assert printed.decode().split() == ["user:password", "or", "token:", digest]
