"""`ordertape cassette`: out of a store and into one, byte-stable, without a secret, all or none."""

import asyncio
import base64
import gzip
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateways import as_json, gateway, order_request
from ordertape.cassette import FORMATS, dump, load
from ordertape.cassette.storing import into_store
from ordertape.model import Headers
from processes import ordertape_here
from recorded import everything_in
from replayed import FIRST, get, order, record, replaying_on_a_port
from storable import POLICY, READ, REDACTION, XML, placed

Asked = Callable[..., tuple[int, str, str]]

PACKED = gzip.compress(b"<Sites><Site><Name>canary-site</Name></Site></Sites>", mtime=1)
SITES = (
    b"HTTP/1.1 200 OK\r\nDate: Tue, 24 Nov 2026 10:00:00 GMT\r\nContent-Type: application/xml\r\n"
    b"Content-Encoding: gzip\r\nSet-Cookie: session=canary-cookie; Path=/\r\n"
    b"Connection: keep-alive\r\nContent-Length: %d\r\n\r\n%b" % (len(PACKED), PACKED)
)
SECRETS = (
    "Authorization: Basic canary-basic",
    "X-Key: canary-key",
    "Cookie: session=canary-cookie; canary-bare",
)
NUMBERS = replace(READ, headers=Headers())
NAMED = (
    *("--redact-header", "X-Key", "--redact-query", "token"),
    *("--redact-xpath", "//Site/Name", "--redact-xpath", "/Order/SiteId"),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an `ordertape.db` of four lies, with secrets in every place; it is only read."""
    found = tmp_path_factory.mktemp("recorded")
    asyncio.run(
        record(
            found,
            (order_request(order().replace(b"743", b"canary-743")), FIRST),
            (get("/sites?token=canary-token&page=2", *SECRETS), SITES),
            (get("/sites?token=canary-token&page=3", *SECRETS), SITES),
            (order_request(order(), b"X-Key: canary-key"), FIRST),
            rules={"site-id": {"severity": "off"}},
        )
    )
    return found


@pytest.fixture
def asked(here: Asked, folder: Path) -> Callable[..., str]:
    """What a command of `cassette` prints that goes well."""

    def run(*arguments: str, cwd: Path = folder) -> str:
        code, printed, errors = here("cassette", *arguments, cwd=cwd)
        assert (code, errors) == (0, "")
        return printed

    return run


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_an_export_that_is_imported_is_exported_byte_for_byte_and_holds_no_secret(
    tmp_path: Path, asked: Callable[..., str], form: str
) -> None:
    first, second, third = (tmp_path / f"{n}.cassette" for n in range(3))
    printed = asked("export", "--format", form, "-o", str(first), *NAMED)
    assert printed == f"Wrote 4 interactions to {first}.\n"
    printed = asked("import", str(first), "--db", "again.db", cwd=tmp_path)
    assert printed == f"Added 4 interactions of {first} to again.db.\n"
    again = ("export", "--db", "again.db", "--format", form)
    asked(*again, "-o", str(second), *NAMED, cwd=tmp_path)
    asked(*again, "-o", str(third), cwd=tmp_path)
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()
    unpacked = b"".join(
        gzip.decompress(one.body) if one.body.startswith(b"\x1f\x8b") else one.body
        for one in load(first)
    )
    for held in (first.read_bytes(), unpacked):
        assert (
            re.findall(rb"canary|ordertape:[0-9a-f]|" + base64.b64encode(b"canary")[:7], held) == []
        )


def test_equal_secrets_are_equal_ordinals_across_digests_and_bodies(
    tmp_path: Path, asked: Callable[..., str]
) -> None:
    asked("export", "-o", str(tmp_path / "c.yaml"), *NAMED)
    first, second, third, fourth = load(tmp_path / "c.yaml")
    assert first.request_headers.get(b"authorization") == b"Basic redacted-1"
    assert b"<SiteId>redacted-2</SiteId>" in first.request_body
    assert [
        second.request_headers.get(name) for name in (b"authorization", b"x-key", b"cookie")
    ] == [
        b"Basic redacted-3",
        b"redacted-6",
        b"session=redacted-4; redacted-5",
    ]
    assert second.headers.get(b"set-cookie") == b"session=redacted-4; Path=/"
    assert second.url.endswith("/sites?token=redacted-7&page=2")
    assert third == replace(
        second,
        url=second.url.replace("page=2", "page=3"),
    )
    assert fourth.request_headers.get(b"authorization") == b"Basic redacted-1"
    assert fourth.request_headers.get(b"x-key") == b"redacted-6"


def test_headers_that_differ_each_time_are_left_out_unless_they_are_kept(
    tmp_path: Path, asked: Callable[..., str]
) -> None:
    names = []
    for more in ((), ("--keep-headers",)):
        asked("export", "-o", str(tmp_path / "c.har"), *more)
        names.append({name.lower() for name, _ in load(tmp_path / "c.har")[1].headers})
    assert names[1] - names[0] == {b"date"}
    assert b"connection" not in names[1]


def test_filters_choose_what_is_exported(tmp_path: Path, asked: Callable[..., str]) -> None:
    for arguments, found in (
        (("--account", "9900012"), ["POST", "POST"]),
        (("--status", "200"), ["GET", "GET"]),
        (("--limit", "3"), ["GET", "GET", "POST"]),
        (("--since", "1h", "--state", "completed"), ["POST", "GET", "GET", "POST"]),
    ):
        asked("export", "-o", str(tmp_path / "c.json"), *arguments)
        assert [one.method for one in load(tmp_path / "c.json")] == found


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (
            ("--account", "15"),
            1,
            "ordertape: No completed exchange in ordertape.db matches.\n",
        ),
        (
            ("--state", "refused"),
            2,
            (
                "ordertape: Only completed exchanges can be exported; leave --state out. "
                "See `ordertape cassette export --help`.\n"
            ),
        ),
        (
            ("--redact-xpath", "/a["),
            2,
            "ordertape: '/a[' is no XPath (Invalid expression); correct it.\n",
        ),
    ],
)
def test_what_cannot_be_exported_writes_nothing(
    tmp_path: Path, folder: Path, here: Asked, arguments: tuple[str, ...], code: int, said: str
) -> None:
    output = tmp_path / "c.yaml"
    told = here("cassette", "export", "-o", str(output), *arguments, cwd=folder)
    assert told == (code, "", said)
    assert not output.exists()


def test_what_was_kept_in_part_is_counted(tmp_path: Path, here: Asked) -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + bytes(2_000_000)
    asyncio.run(record(tmp_path, (get("/large"), large), (order_request(order()), FIRST)))
    assert here("cassette", "export", "-o", "c.yaml", cwd=tmp_path) == (
        0,
        "Wrote 1 interaction to c.yaml.\n",
        "1 exchange was left out, of which a body was kept only in part.\n",
    )


def test_a_damaged_cassette_is_neither_imported_nor_overwritten(
    tmp_path: Path, folder: Path, here: Asked, asked: Callable[..., str]
) -> None:
    good, bad = tmp_path / "a.yaml", tmp_path / "b.yaml"
    asked("export", "-o", str(good))
    asked("import", str(good), "--db", "s.db", cwd=tmp_path)
    bad.write_bytes(good.read_bytes()[:-12])
    before = everything_in(tmp_path)
    for arguments in (("import", str(tmp_path), "--db", "s.db"), ("list", str(tmp_path))):
        code, printed, errors = here("cassette", *arguments, cwd=tmp_path)
        assert (code, printed) == (2, "")
        assert re.fullmatch(rf"ordertape: {re.escape(str(bad))}.*\n", errors)
    code, printed, errors = here("cassette", "export", "-o", str(bad), cwd=folder)
    assert (code, printed) == (2, "")
    assert str(bad) in errors
    assert everything_in(tmp_path) == before


def test_a_damaged_cassette_makes_no_store(tmp_path: Path, here: Asked) -> None:
    (tmp_path / "c.yaml").write_text("interactions:\n- request: {")
    code, _, _ = here("cassette", "import", "c.yaml", cwd=tmp_path)
    assert code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["c.yaml"]


def test_a_folder_is_imported_in_order_of_name(tmp_path: Path, asked: Callable[..., str]) -> None:
    inner = tmp_path / "cassettes" / "orders"
    inner.mkdir(parents=True)
    (inner / "b.yaml").write_bytes(dump([placed()], "vcr"))
    (inner / "a.har").write_bytes(dump([NUMBERS], "har"))
    (inner / "notes.txt").write_text("not a cassette")
    printed = asked("import", "cassettes", "--db", "s.db", cwd=tmp_path)
    assert printed == "Added 2 interactions of 2 cassettes to s.db.\n"
    listed = as_json(asked_here("audit", "list", "--db", "s.db", "--json", cwd=tmp_path))
    assert [row["method"] for row in listed] == ["POST", "GET"]
    assert {row["origin"] for row in listed} == {"recorded"}


def asked_here(*arguments: str, cwd: Path) -> str:
    code, printed, errors = ordertape_here(*arguments, cwd=cwd)
    assert (code, errors) == (0, "")
    return printed


def test_the_base_url_is_the_one_that_is_named_else_the_configured_one(
    tmp_path: Path, asked: Callable[..., str]
) -> None:
    (tmp_path / "c.yaml").write_bytes(dump([placed()], "vcr"))
    (tmp_path / "ordertape.toml").write_text("upstream = 'https://service.example/v1.0'\n")
    for named in ((), ("--upstream", "https://service.example")):
        asked("import", "c.yaml", *named, cwd=tmp_path)
    listed = as_json(asked_here("audit", "list", "--json", cwd=tmp_path))
    assert [row["target"] for row in listed] == [
        "/v1.0/accounts/14/orders",
        "/accounts/14/orders",
    ]


async def test_while_a_gateway_writes_the_store_nothing_is_imported(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(dump([READ], "vcr"))
    async with gateway(tmp_path, sandbox=True):
        code, printed, errors = await asyncio.to_thread(
            ordertape_here, "cassette", "import", "c.yaml", cwd=tmp_path
        )
    assert (code, printed) == (2, "")
    assert "is being written by process" in errors


async def test_what_was_imported_is_replayed(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_bytes(dump([placed()], "vcr"))
    command = ("cassette", "import", "c.yaml", "--upstream", "https://service.example/v1.0")
    await asyncio.to_thread(ordertape_here, *command, cwd=tmp_path)
    request = order_request(placed().request_body, path=b"/accounts/14/orders")
    without = request.replace(b"Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n", b"")
    async with replaying_on_a_port(tmp_path / "ordertape.db") as replay:
        assert await replay.status(without) == 201
        assert await replay.status(without) == 409


def test_list_and_show_tell_what_a_cassette_holds_without_its_secrets(
    tmp_path: Path, asked: Callable[..., str]
) -> None:
    secret = Headers.of([(b"Authorization", b"Bearer canary"), XML])
    body = gzip.compress(b"<a>\n<b/></a>")
    packed = Headers.of([(b"Content-Encoding", b"gzip"), XML])
    found = [
        replace(NUMBERS, request_headers=secret, url="http://h/numbers?token=canary"),
        placed(request_headers=secret, headers=packed, body=body, request_body=b"<Order/>"),
    ]
    (tmp_path / "c.har").write_bytes(dump(found, "har"))
    (tmp_path / "ordertape.toml").write_text("redact.query = ['token']\n")
    assert asked("list", "c.har", cwd=tmp_path).splitlines() == [
        "cassette  no  request                                               sent  status  bytes",
        "c.har      1  GET http://h/numbers?token=redacted-1                    0     299    256",
        (
            "c.har      2  POST https://service.example/v1.0/accounts/14/orders     8     201"
            f"{len(load(tmp_path / 'c.har')[1].body):7}"
        ),
    ]
    listed = as_json(asked("list", "c.har", "--json", cwd=tmp_path))
    assert listed[1] == {
        "cassette": "c.har",
        "number": 2,
        "method": "POST",
        "url": "https://service.example/v1.0/accounts/14/orders",
        "status": 201,
        "request_bytes": 8,
        "response_bytes": len(load(tmp_path / "c.har")[1].body),
        "started_at": "2026-09-21T14:13:20.123Z",
        "duration_ms": 1.5,
    }
    printed = asked("show", "c.har", cwd=tmp_path)
    assert "canary" not in printed
    assert "  (256 bytes that are no text; --json has them in base64)\n" in printed
    assert asked("show", "c.har", "2", cwd=tmp_path).splitlines()[:6] == [
        "Interaction 2",
        "",
        "  POST https://service.example/v1.0/accounts/14/orders",
        "  Authorization: Bearer redacted-1",
        "  Content-Type: application/xml",
        "",
    ]
    assert "  <a>\n  <b/></a>\n" in printed
    [shown] = as_json(asked("show", "c.har", "2", "--json", cwd=tmp_path))
    assert shown["request_body"] == base64.b64encode(b"<Order/>").decode()
    assert shown["reason"] == "Created"


def test_an_interaction_that_is_not_there_is_said_to_be_none(tmp_path: Path, here: Asked) -> None:
    (tmp_path / "c.yaml").write_bytes(dump([READ], "vcr"))
    code, printed, errors = here("cassette", "show", "c.yaml", "2", cwd=tmp_path)
    assert (code, printed) == (2, "")
    assert errors.startswith("ordertape: c.yaml has 1 interaction; name")


@pytest.mark.parametrize("command", ["import", "list"])
def test_a_folder_without_a_cassette_is_refused(tmp_path: Path, here: Asked, command: str) -> None:
    assert here("cassette", command, ".", cwd=tmp_path) == (
        2,
        "",
        (
            "ordertape: There is no cassette in the folder . (.har, .json, .yaml, .yml); "
            "name another.\n"
        ),
    )


def test_reindex_tells_how_many_keys_it_has_made(tmp_path: Path, asked: Callable[..., str]) -> None:
    into_store(tmp_path / "ordertape.db", [placed(), READ], POLICY, REDACTION)
    assert asked("reindex", cwd=tmp_path) == "Made 0 of 2 match keys in ordertape.db anew.\n"
    (tmp_path / "ordertape.toml").write_text("rules.order-defaults.partial_allowed = 'false'\n")
    assert asked("reindex", cwd=tmp_path) == "Made 2 of 2 match keys in ordertape.db anew.\n"
    assert asked("reindex", cwd=tmp_path) == "Made 0 of 2 match keys in ordertape.db anew.\n"


def test_reindex_of_what_is_no_store_is_refused(tmp_path: Path, here: Asked) -> None:
    code, printed, errors = here("cassette", "reindex", cwd=tmp_path)
    assert (code, printed) == (2, "")
    assert errors == "ordertape: There is no store ordertape.db; name it with --db.\n"
    assert list(tmp_path.iterdir()) == []
