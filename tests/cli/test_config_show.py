"""`ordertape config show`: every value in force with the place that set it, and no secret."""

import json
import subprocess
from collections.abc import Mapping
from os import environ
from pathlib import Path
from typing import Any

import pytest

from processes import ORDERTAPE
from terminals import on_terminal


def shown(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ORDERTAPE, "config", "show", *arguments],
        cwd=folder,
        env={**environ, **(variables or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def settings(
    folder: Path, *arguments: str, variables: Mapping[str, str] | None = None
) -> dict[str, tuple[Any, str]]:
    done = shown(folder, "--json", *arguments, variables=variables)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return {row["key"]: (row["value"], row["from"]) for row in rows}


def set_somewhere(found: Mapping[str, tuple[Any, str]]) -> dict[str, tuple[Any, str]]:
    return {key: value for key, value in found.items() if value[1] != "default"}


def test_every_setting_has_its_value_and_its_place(tmp_path: Path) -> None:
    (tmp_path / "ordertape.toml").write_text(
        "upstream = 'https://service.example'\nlog_level = 'debug'\n"
        "[limits]\norder = '512KiB'\n[timeouts]\nread = 7\n"
        "[accounts.7.rules.order-defaults]\npartial_allowed = 'leave'\n",
        encoding="utf-8",
    )
    variables = {
        "ORDERTAPE_LOG_LEVEL": "error",
        "ORDERTAPE_TIMEOUTS__BODY": "3",
        "ORDERTAPE_REDACT__HEADERS": '["X-Mine"]',
    }
    found = settings(tmp_path, variables=variables)
    assert set_somewhere(found) == {
        "upstream": ("https://service.example", "ordertape.toml"),
        "log_level": ("error", "environment"),
        "limits.order": (512 << 10, "ordertape.toml"),
        "timeouts.read": (7.0, "ordertape.toml"),
        "timeouts.body": (3.0, "environment"),
        "redact.headers": (["X-Mine"], "environment"),
        "accounts.7.rules.order-defaults.partial_allowed": ("leave", "ordertape.toml"),
    }
    assert found["listen"] == ("127.0.0.1:8080", "default")
    assert found["key_file"] == (None, "default")


@pytest.mark.parametrize("text", ["rules = ['a.py']\n", "[rules]\nfiles = ['a.py']\n"])
def test_rule_files_have_their_place_in_either_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gateway.toml").write_text(text, encoding="utf-8")
    variables = {"ORDERTAPE_RULES__UPPER__TIMES": "3"}
    found = settings(tmp_path, "--config", "mine/gateway.toml", variables=variables)
    assert set_somewhere(found) == {
        "rules.files": (["mine/a.py"], "mine/gateway.toml"),
        "rules.upper.times": (3, "environment"),
    }


def test_a_named_file_takes_the_place_of_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "ordertape.toml").write_text("seed = 1", encoding="utf-8")
    (tmp_path / "mine.toml").write_text("listen = '127.0.0.1:1'", encoding="utf-8")
    found = settings(tmp_path, "--config", "mine.toml")
    assert set_somewhere(found) == {"listen": ("127.0.0.1:1", "mine.toml")}


def test_the_table_is_made_for_people_on_a_terminal_and_on_a_pipe(tmp_path: Path) -> None:
    long = "https://service.example/" + "a" * 300
    (tmp_path / "ordertape.toml").write_text(f"upstream = '{long}'", encoding="utf-8")
    piped = shown(tmp_path).stdout
    head, first, second, *_ = piped.splitlines()
    assert head.split() == ["setting", "value", "from"]
    assert first.split() == ["upstream", long, "ordertape.toml"]
    assert second.split() == ["sandbox", "false", "default"]
    (tmp_path / "ordertape.toml").write_text("", encoding="utf-8")
    lines = on_terminal("config", "show", cwd=tmp_path, columns=80).splitlines()
    assert lines[0].startswith("\x1b[1msetting")
    assert max(map(len, lines[1:])) <= 80


def test_no_secret_is_printed(tmp_path: Path) -> None:
    (tmp_path / "ordertape.toml").write_text(
        "upstream = 'https://user:canary@service.example/v1?a=b@c'\n"
        "[rules.theirs]\nlimit = 3\napi_token = 'canary'\n[rules.theirs.password]\na = 'canary'\n"
        "[accounts.7.rules.theirs]\nclient_secret = 'canary'\n",
        encoding="utf-8",
    )
    for form in ((), ("--json",)):
        done = shown(tmp_path, *form)
        assert (done.returncode, done.stderr) == (0, "")
        assert "canary" not in done.stdout
    assert set_somewhere(settings(tmp_path)) == {
        "upstream": ("https://***@service.example/v1?a=b@c", "ordertape.toml"),
        "rules.theirs.limit": (3, "ordertape.toml"),
        "rules.theirs.api_token": ("***", "ordertape.toml"),
        "rules.theirs.password.a": ("***", "ordertape.toml"),
        "accounts.7.rules.theirs.client_secret": ("***", "ordertape.toml"),
    }


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "ORDERTAPE_LISTN",
            "x",
            "This variable sets nothing that exists; did you mean ORDERTAPE_LISTEN?",
        ),
        ("ORDERTAPE_ZZZ", "x", "This variable sets nothing that exists; unset it."),
        (
            "ORDERTAPE_LISTEN__PORT",
            "1",
            "This variable goes too deep: listen is one value; correct it.",
        ),
        (
            "ORDERTAPE_TIMEOUTS__REED",
            "1",
            "There is no setting timeouts.reed; did you mean timeouts.read?",
        ),
        (
            "ORDERTAPE_SEED",
            "canary",
            (
                "The setting seed is wrong: Input should be a valid integer, unable to parse "
                "string as an integer; correct it."
            ),
        ),
        (
            "ORDERTAPE_TIMEOUTS__READ",
            "inf",
            "The setting timeouts.read is wrong: Input should be a finite number; correct it.",
        ),
        (
            "ORDERTAPE_REDACT__HEADERS",
            "canary",
            (
                "This is not the JSON that lists and tables are written in; correct it: "
                "ORDERTAPE_REDACT__HEADERS='[\"X-Secret\"]' is an example."
            ),
        ),
        (
            "ORDERTAPE_RULES",
            '"canary"',
            "The setting rules is wrong: Input should be a table; correct it.",
        ),
        (
            "ORDERTAPE_RULES__FILES",
            '"canary"',
            "The setting rules.files is wrong: Input should be a valid array; correct it.",
        ),
    ],
)
def test_a_wrong_variable_is_one_sentence_without_its_value(
    tmp_path: Path, name: str, value: str, said: str
) -> None:
    done = shown(tmp_path, variables={name: value})
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"ordertape: {name}: {said}\n")


def test_what_kubernetes_says_of_a_service_of_that_name_is_left_alone(tmp_path: Path) -> None:
    variables = {
        "ORDERTAPE_PORT": "tcp://10.0.0.1:8080",
        "ORDERTAPE_PORT_8080_TCP_ADDR": "10.0.0.1",
        "ORDERTAPE_SERVICE_HOST": "10.0.0.1",
    }
    assert set_somewhere(settings(tmp_path, variables=variables)) == {}


def test_a_hostile_key_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "ordertape.toml").write_text('"\\u001b[2J\\nx" = 1', encoding="utf-8")
    done = shown(tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.removesuffix("\n").isprintable()
