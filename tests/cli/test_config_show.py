"""`ordertape config show`: every value in force with the place that set it, and no secret."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateways import as_json
from terminals import on_terminal

Asked = Callable[..., tuple[int, str, str]]
Settings = Callable[..., dict[str, tuple[Any, str]]]


@pytest.fixture
def shown(tmp_path: Path, here: Asked) -> Asked:
    def run(*arguments: str, variables: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        return here("config", "show", *arguments, cwd=tmp_path, variables=variables)

    return run


@pytest.fixture
def settings(shown: Asked) -> Settings:
    """What is shown as JSON: the value and the place of each key."""

    def found(
        *arguments: str, variables: Mapping[str, str] | None = None
    ) -> dict[str, tuple[Any, str]]:
        code, printed, errors = shown("--json", *arguments, variables=variables)
        assert (code, errors) == (0, "")
        return {row["key"]: (row["value"], row["from"]) for row in as_json(printed)}

    return found


def set_somewhere(found: Mapping[str, tuple[Any, str]]) -> dict[str, tuple[Any, str]]:
    return {key: value for key, value in found.items() if value[1] != "default"}


def test_every_setting_has_its_value_and_its_place(tmp_path: Path, settings: Settings) -> None:
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
    found = settings(variables=variables)
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


def test_quotas_are_shown_setting_by_setting_and_without_what_they_do_not_have(
    tmp_path: Path, settings: Settings
) -> None:
    digest = f"ordertape:01234567:{'0' * 16}"
    (tmp_path / "ordertape.toml").write_text(
        "[[quotas]]\nname = 'tokens'\nwindow = 'day'\nlimit = 5\n"
        "[[quotas]]\nname = 'burst'\nwindow = 'burst'\nsize = 'unlimited'\nper_second = 2\n"
        "[accounts.7.quotas.tokens]\nboost = 3\nboost_until = 2027-01-01T00:00:00Z\n"
        f"[accounts.7]\ncredentials = ['{digest}']\n",
        encoding="utf-8",
    )
    found = settings()
    assert {key: value for key, value in found.items() if key.startswith("quotas")} == {
        "quotas.0.name": ("tokens", "ordertape.toml"),
        "quotas.0.window": ("day", "ordertape.toml"),
        "quotas.0.unit": ("numbers", "default"),
        "quotas.0.limit": (5, "ordertape.toml"),
        "quotas.0.zone": ("UTC", "default"),
        "quotas.0.accounts": ("*", "default"),
        "quotas.0.mode": ("enforce", "default"),
        "quotas.0.warn_at": (0.8, "default"),
        "quotas.1.name": ("burst", "ordertape.toml"),
        "quotas.1.window": ("burst", "ordertape.toml"),
        "quotas.1.unit": ("orders", "default"),
        "quotas.1.size": ("unlimited", "ordertape.toml"),
        "quotas.1.per_second": (2.0, "ordertape.toml"),
        "quotas.1.accounts": ("*", "default"),
        "quotas.1.mode": ("enforce", "default"),
    }
    assert {key: value for key, value in found.items() if key.startswith("accounts")} == {
        "accounts.7.rules": ({}, "default"),
        "accounts.7.quotas.tokens.boost": (3, "ordertape.toml"),
        "accounts.7.quotas.tokens.boost_until": ("2027-01-01T00:00:00Z", "ordertape.toml"),
        "accounts.7.credentials": ([digest], "ordertape.toml"),
    }


def test_an_array_of_the_environment_takes_the_place_of_the_files(
    tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "ordertape.toml").write_text(
        "[[quotas]]\nname = 'a'\nwindow = 'day'\nlimit = 5\nzone = 'UTC'\n", encoding="utf-8"
    )
    variables = {"ORDERTAPE_QUOTAS": '[{"name": "b", "window": "day", "limit": 6}]'}
    assert set_somewhere(settings(variables=variables)) == {
        "quotas.0.name": ("b", "environment"),
        "quotas.0.window": ("day", "environment"),
        "quotas.0.limit": (6, "environment"),
    }


@pytest.mark.parametrize("text", ["rules = ['a.py']\n", "[rules]\nfiles = ['a.py']\n"])
def test_rule_files_have_their_place_in_either_form(
    tmp_path: Path, settings: Settings, text: str
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gateway.toml").write_text(text, encoding="utf-8")
    variables = {"ORDERTAPE_RULES__UPPER__TIMES": "3"}
    found = settings("--config", "mine/gateway.toml", variables=variables)
    assert set_somewhere(found) == {
        "rules.files": (["mine/a.py"], "mine/gateway.toml"),
        "rules.upper.times": (3, "environment"),
    }


def test_a_named_file_takes_the_place_of_the_usual_one(tmp_path: Path, settings: Settings) -> None:
    (tmp_path / "ordertape.toml").write_text("seed = 1", encoding="utf-8")
    (tmp_path / "mine.toml").write_text("listen = '127.0.0.1:1'", encoding="utf-8")
    found = settings("--config", "mine.toml")
    assert set_somewhere(found) == {"listen": ("127.0.0.1:1", "mine.toml")}


def test_the_table_is_made_for_people_on_a_terminal_and_on_a_pipe(
    tmp_path: Path, shown: Asked
) -> None:
    long = "https://service.example/" + "a" * 300
    (tmp_path / "ordertape.toml").write_text(f"upstream = '{long}'", encoding="utf-8")
    _, piped, _ = shown()
    head, first, second, *_ = piped.splitlines()
    assert head.split() == ["setting", "value", "from"]
    assert first.split() == ["upstream", long, "ordertape.toml"]
    assert second.split() == ["sandbox", "false", "default"]
    (tmp_path / "ordertape.toml").write_text("", encoding="utf-8")
    lines = on_terminal("config", "show", cwd=tmp_path, columns=80).splitlines()
    assert lines[0].startswith("\x1b[1msetting")
    assert max(map(len, lines[1:])) <= 80


def test_no_secret_is_printed(tmp_path: Path, shown: Asked, settings: Settings) -> None:
    (tmp_path / "ordertape.toml").write_text(
        "upstream = 'https://user:canary@service.example/v1?a=b@c'\n"
        "[rules.theirs]\nlimit = 3\napi_token = 'canary'\n[rules.theirs.password]\na = 'canary'\n"
        "[accounts.7.rules.theirs]\nclient_secret = 'canary'\n",
        encoding="utf-8",
    )
    for form in ((), ("--json",)):
        code, printed, errors = shown(*form)
        assert (code, errors) == (0, "")
        assert "canary" not in printed
    assert set_somewhere(settings()) == {
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
    shown: Asked, name: str, value: str, said: str
) -> None:
    assert shown(variables={name: value}) == (2, "", f"ordertape: {name}: {said}\n")


def test_what_kubernetes_says_of_a_service_of_that_name_is_left_alone(settings: Settings) -> None:
    variables = {
        "ORDERTAPE_PORT": "tcp://10.0.0.1:8080",
        "ORDERTAPE_PORT_8080_TCP_ADDR": "10.0.0.1",
        "ORDERTAPE_SERVICE_HOST": "10.0.0.1",
    }
    assert set_somewhere(settings(variables=variables)) == {}


def test_a_hostile_key_cannot_steer_the_terminal(tmp_path: Path, shown: Asked) -> None:
    (tmp_path / "ordertape.toml").write_text('"\\u001b[2J\\nx" = 1', encoding="utf-8")
    code, _, errors = shown()
    assert (code, errors.count("\n")) == (2, 1)
    assert errors.removesuffix("\n").isprintable()
