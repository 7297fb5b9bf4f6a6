"""The command as a whole: help, version, and that every error is one sentence on stderr."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from audited import fill
from processes import ORDERTAPE, one_after_another, ordertape
from recorded import intent

Asked = Callable[..., tuple[int, str, str]]
UNPRIVILEGED = (sys.executable, str(Path(__file__).parent.parent / "unprivileged.py"))
FREE = ("--listen", "127.0.0.1:0", "--admin", "off")


def refused(
    *commands: Sequence[str], cwd: Path, before: Sequence[str] = ()
) -> dict[tuple[str, ...], str]:
    """The one sentence of each command; they exit with 2."""
    told = one_after_another(commands, cwd, before)
    assert [(code, printed) for code, printed, _ in told] == [(2, "")] * len(commands)
    return {
        tuple(command): sentence(errors)
        for command, (_, _, errors) in zip(commands, told, strict=True)
    }


@pytest.fixture
def refused_here(tmp_path: Path, here: Asked) -> Callable[..., str]:
    """The same without a process of its own, which is faster."""

    def found(*arguments: str) -> str:
        code, printed, errors = here(*arguments, cwd=tmp_path)
        assert (code, printed) == (2, "")
        return sentence(errors)

    return found


def sentence(errors: str) -> str:
    prefix, _, text = errors.partition("ordertape: ")
    assert (prefix, errors.count("\n")) == ("", 1), errors
    assert text.endswith("\n")
    return text.removesuffix("\n")


def test_help_names_every_command_and_loads_none_of_them() -> None:
    program = (
        "import json, sys\n"
        "from ordertape.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as left:\n    code = left.code\n"
        "print(json.dumps([code, sorted({name.split('.')[0] for name in sys.modules})]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    *help_, last = done.stdout.splitlines()
    code, modules = json.loads(last)
    assert code in {None, 0}
    assert not {"aiohttp", "lxml", "pydantic", "rich", "sqlite_utils", "uvloop"} & set(modules)
    commands = [line.split()[0] for line in help_[help_.index("Commands:") + 1 :]]
    assert commands == [
        *("account", "audit", "cassette", "check", "config", "demo", "explain"),
        *("orders", "quota"),
        *("replay", "rules", "sandbox", "serve", "verify"),
    ]


@pytest.mark.parametrize(
    "arguments",
    ["-h", "audit list -h", "audit show --help", "config show -h", "demo -h", "orders pause -h"],
)
def test_help_is_given_at_every_level(tmp_path: Path, here: Asked, arguments: str) -> None:
    code, printed, errors = here(*arguments.split(), cwd=tmp_path)
    assert (code, errors) == (0, "")
    assert printed.startswith("Usage: ordertape ")


def test_the_version_is_that_of_the_package(tmp_path: Path) -> None:
    done = ordertape("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "ordertape, version 0.1.0.dev0\n")


def test_as_a_module_it_is_the_same_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "ordertape", "audit", "list"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, sentence(done.stderr)) == (
        2,
        "There is no store ordertape.db; name it with --db.",
    )


@pytest.mark.parametrize("arguments", ["", "audit", "orders", "config"])
def test_without_a_command_the_help_is_shown_as_an_error(
    tmp_path: Path, here: Asked, arguments: str
) -> None:
    code, printed, errors = here(*arguments.split(), cwd=tmp_path)
    assert (code, printed) == (2, "")
    assert errors.startswith("Usage: ordertape ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("adit", "No such command 'adit'. Did you mean 'audit'? See `ordertape --help`."),
        ("zzz", "No such command 'zzz'. See `ordertape --help`."),
        (
            "audit list --limit 0",
            (
                "Invalid value for '--limit': 0 is not in the range 1<=x<=1000000000. "
                "See `ordertape audit list --help`."
            ),
        ),
        (
            "audit list --status 99999999999999999999",
            (
                "Invalid value for '--status': 99999999999999999999 is not in the range "
                "100<=x<=999. See `ordertape audit list --help`."
            ),
        ),
        (
            "audit list --state lost",
            (
                "Invalid value for '--state': 'lost' is not one of 'refused', 'pending', "
                "'completed', 'failed', 'in-doubt'. See `ordertape audit list --help`."
            ),
        ),
        (
            "audit list --since yesterday",
            (
                "Invalid value for '--since': 'yesterday' is neither ISO 8601 nor an age such as "
                "15m or 7d. See `ordertape audit list --help`."
            ),
        ),
        (
            "audit list --until 99999999d",
            (
                "Invalid value for '--until': '99999999d' is further back than the calendar goes. "
                "See `ordertape audit list --help`."
            ),
        ),
        ("audit show", "Missing argument 'ID'. See `ordertape audit show --help`."),
        ("replay", "Missing argument 'SOURCES...'. See `ordertape replay --help`."),
        ("orders pause", "Missing option '--reason'. See `ordertape orders pause --help`."),
        (
            "orders pause --reason x --account a/b",
            (
                "Invalid value for '--account': 'a/b' is no account id: letters, digits, - and _. "
                "See `ordertape orders pause --help`."
            ),
        ),
        (
            "audit list --config none.toml",
            (
                "The configuration none.toml cannot be read (No such file or directory); "
                "name another with --config, or name the store with --db."
            ),
        ),
    ],
)
def test_wrong_usage_is_one_sentence(
    refused_here: Callable[..., str], arguments: str, said: str
) -> None:
    assert refused_here(*arguments.split()) == said


def test_what_cannot_start_says_why_in_one_sentence(tmp_path: Path) -> None:
    both, neither, nowhere = (
        ("serve", "--upstream", "http://a", "--sandbox"),
        ("serve",),
        ("sandbox", "--listen", "nowhere"),
    )
    assert refused(both, neither, nowhere, cwd=tmp_path) == {
        both: "Name either --upstream or --sandbox, not both. See `ordertape serve --help`.",
        neither: (
            "There is nothing to stand in front of; name the service with --upstream URL, "
            "or try --sandbox."
        ),
        nowhere: ("--listen nowhere is not HOST:PORT; write it like 127.0.0.1:8080 or [::1]:8080."),
    }


@pytest.mark.parametrize("option", ["--account", "--order-id", "--customer-order-id"])
def test_text_that_is_blank_or_no_text_is_wrong_usage(
    refused_here: Callable[..., str], option: str
) -> None:
    for value, why in ((" ", "it is empty"), (os.fsdecode(b"\xff"), "it is not UTF-8")):
        assert why in refused_here("audit", "list", option, value)


NO_STORE = (b"", b"garbage" * 1000, b"SQLite format 3\0" + bytes(5000))


@pytest.mark.parametrize(
    "command", ["audit list --db", "audit show x --db", "orders resume --reason r --db", "replay"]
)
def test_a_store_that_is_none_is_named_in_one_sentence(
    tmp_path: Path, refused_here: Callable[..., str], command: str
) -> None:
    (tmp_path / "folder").mkdir()
    for number, content in enumerate(NO_STORE):
        if not content and command.startswith("orders"):
            continue  # an empty file is a store that nothing has been written to
        (tmp_path / f"file-{number}").write_bytes(content)
    names = [*sorted(path.name for path in tmp_path.iterdir()), "none", "none/none", "x" * 300]
    if command == "replay":  # it sets up logging, which is for good
        found = refused(*(("replay", name) for name in names), cwd=tmp_path)
        assert all(name in told for (_, name), told in found.items())
    else:
        assert all(name in refused_here(*command.split(), name) for name in names)
    for number, content in enumerate(NO_STORE):
        if (file := tmp_path / f"file-{number}").exists():
            assert file.read_bytes() == content


def test_a_file_that_may_not_be_read_is_one_sentence(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    (tmp_path / "closed.db").touch(0o000)
    (tmp_path / "closed.toml").touch(0o000)
    closed.chmod(0o000)
    try:
        found = refused(
            ("audit", "list", "--db", "closed.db"),
            ("audit", "list", "--db", "closed/a.db"),
            ("replay", "closed/a.db"),
            ("config", "show", "--config", "closed.toml"),
            ("config", "show", "--config", "closed/a.toml"),
            ("orders", "pause", "--reason", "r", "--db", "closed.db"),
            ("orders", "pause", "--reason", "r", "--db", "closed/a.db"),
            ("serve", "--sandbox", *FREE, "--db", "closed/a.db"),
            cwd=tmp_path,
            before=UNPRIVILEGED,
        )
        assert all("closed" in told for told in found.values())
    finally:
        closed.chmod(0o700)


def test_what_a_sentence_quotes_cannot_steer_the_terminal(
    tmp_path: Path, refused_here: Callable[..., str]
) -> None:
    hostile = "\x1b[2J\x9b31m\u202e"
    for arguments in (
        (hostile,),
        ("audit", "list", "--db", hostile),
        ("audit", "list", "--state", hostile),
    ):
        assert refused_here(*arguments).isprintable()
    [told] = refused(("replay", hostile), cwd=tmp_path).values()
    assert told.isprintable()


def test_a_locale_without_the_characters_makes_no_listing_fail(tmp_path: Path) -> None:
    asyncio.run(fill(tmp_path / "ordertape.db", (intent(customer_order_id="\u6f22"), None)))
    done = subprocess.run(
        [ORDERTAPE, "audit", "list"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"  \\u6f22  " in done.stdout
