"""Where a setting comes from, and what is said of a wrong one."""

from pathlib import Path

import pytest

from ordertape.config import examine, load
from ordertape.config.statements import lines_of
from ordertape.errors import ConfigurationError, StartUpError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ordertape.toml"
    path.write_text(
        'upstream = "http://file.example"\nlisten = "127.0.0.1:1"\nadmin = "off"\n'
        "[timeouts]\nconnect = 1\nread = 2\n[limits]\norder = '512KiB'\n"
        "[rules.order-defaults]\npartial_allowed = 'leave'\n",
        encoding="utf-8",
    )
    return path


def test_flags_win_over_the_environment_over_the_file_over_defaults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERTAPE_LISTEN", "127.0.0.1:2")
    monkeypatch.setenv("ORDERTAPE_UPSTREAM", "http://environment.example")
    monkeypatch.setenv("ORDERTAPE_TIMEOUTS__READ", "3")
    loaded = load(file, {"upstream": "http://flag.example", "listen": None})
    rows = {key: (value, place) for key, value, place in loaded.rows()}
    assert rows["upstream"] == ("http://flag.example", "command line")
    assert rows["listen"] == ("127.0.0.1:2", "environment")
    assert rows["admin"] == ("off", str(file))
    assert rows["timeouts.connect"] == (1.0, str(file))
    assert rows["timeouts.read"] == (3.0, "environment")
    assert rows["timeouts.body"] == (30.0, "default")
    assert rows["limits.order"] == (512 << 10, str(file))
    assert rows["rules.order-defaults.partial_allowed"] == ("leave", str(file))


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        ("lisen = 'x'", 1, "There is no setting lisen; did you mean listen?"),
        (
            "[timeouts]\nconect = 1",
            2,
            "There is no setting timeouts.conect; did you mean timeouts.connect?",
        ),
        (
            "order_total = 1",
            1,
            "There is no setting order_total; did you mean timeouts.order_total?",
        ),
        (
            "[timeouts]\n# soon\n\nconnect = 'soon'",
            4,
            (
                "The setting timeouts.connect is wrong: Input should be a valid number, unable to "
                "parse string as a number; correct it."
            ),
        ),
        (
            "seed = 1\n[timeouts]\norder_total = 8",
            2,
            (
                "The settings timeouts do not fit together: order_total must be more than twice "
                "connect, or an order could be in doubt that was never sent; correct them."
            ),
        ),
        (
            "seed = 1\ntimeouts.shutdown = 20",
            2,
            (
                "The settings timeouts do not fit together: shutdown must be more than "
                "order_total, or a stop could break off orders; correct them."
            ),
        ),
        (
            "via = 'a b'",
            1,
            (
                "The setting via is wrong: String should match pattern "
                "'^[A-Za-z0-9!#$%&'*+.^_`|~-]+(:[0-9]+)?$'; correct it."
            ),
        ),
        (
            "[redact]\nheaders = 'X-Key'",
            2,
            "The setting redact.headers is wrong: Input should be a valid array; correct it.",
        ),
        ("timeouts = 5", 1, "The setting timeouts is wrong: Input should be a table; correct it."),
        (
            "[accounts.'a b'.rules]",
            1,
            "There is no account a b: an id has letters, digits, _ and - only; correct it.",
        ),
        (
            "[rules]\nfile = ['a.py']",
            2,
            "The setting rules.file is not a table of a rule's fields; did you mean rules.files?",
        ),
        (
            "rules = [\n  'a.py',\n  1,\n]",
            1,
            "The setting rules.files.1 is wrong: Input should be a path; correct it.",
        ),
        ("rules = 'a.py'", 1, "The setting rules is wrong: Input should be a table; correct it."),
        (
            "accounts.7.rules.trim-whitespace = 3",
            1,
            (
                "The setting accounts.7.rules.trim-whitespace is wrong: Input should be a table; "
                "correct it."
            ),
        ),
        ("zzzzqqqq = 1", 1, "There is no setting zzzzqqqq; docs/reference.md lists them all."),
        ("_env_file = 1", 1, "There is no setting _env_file; did you mean key_file?"),
        (
            "seed = 1\n\nlisten = [\n  'x',\n  'y',\n",
            3,
            "This is not TOML: Invalid value; mend it.",
        ),
        ("a = [", 1, "This is not TOML: Invalid value; mend it."),
        ("a = 1\n[b]\n[b]", 3, "This is not TOML: Cannot declare ('b',) twice; mend it."),
        ("a = 1\nb = '\udc80'", 2, "This is not UTF-8; save the file as that."),
    ],
)
def test_a_wrong_setting_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, sentence: str
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(StartUpError) as error:
        load(file, {})
    assert str(error.value) == f"{file}:{line}: {sentence}"


def test_everything_that_is_wrong_is_found_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(
        "lisen = 'x'\nrules = ['r.py']\n[timeouts]\nread = -1\norder_total = 8\n"
        "[limits]\nrecord = 'much'\nconnections = 5\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("ORDERTAPE_LIMITS__CONNECTIONS", "0")
    monkeypatch.setenv("ORDERTAPE_SEDE", "1")
    loaded = examine(file, {"seed": "s"})
    assert [(problem.place, problem.line, problem.key) for problem in loaded.problems] == [
        ("ORDERTAPE_SEDE", None, "sede"),
        ("--seed", None, "seed"),
        ("ORDERTAPE_LIMITS__CONNECTIONS", None, "limits.connections"),
        (str(file), 1, "lisen"),
        (str(file), 4, "timeouts.read"),
        (str(file), 7, "limits.record"),
    ]
    assert loaded.settings.rules.files == (tmp_path / "r.py",)
    with pytest.raises(ConfigurationError) as error:
        load(file, {"seed": "s"})
    assert error.value.problems == loaded.problems
    assert str(error.value) == (
        "ORDERTAPE_SEDE: This variable sets nothing that exists; did you mean ORDERTAPE_SEED? "
        "`ordertape config check` names more."
    )


@pytest.mark.parametrize(
    "text",
    [
        "public_url = 'gw'",
        "public_url = 'javascript:x'",
        "public_url = 'http://user@gw'",
        "via = 'a\\nb'",
        "[redact]\nheaders = ['a b']",
        "[redact]\nquery = ['']",
        "[accounts.'a b'.rules.trim-whitespace]\nseverity = 'off'",
        "[limits]\norder = '2MiB'",
    ],
)
def test_a_value_that_could_never_work_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StartUpError, match=rf"^{file}:\d: [^\n]*$"):
        load(file, {})


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartUpError, match=r"none\.toml cannot be read"):
        load(tmp_path / "none.toml", {})


def test_the_lines_of_a_file_in_every_way_to_write_it() -> None:
    text = (
        "# 'x' = [\r\na.b = 1\r\n\r\ntext = '''\nc = 2\n[no]\n'''\nlist = [ # ]\n  1,\n]\n"
        "inline = {d = 1, e = {f = 2}}\n  [ x . 'y.z' ]  # why\nkey = \"\u2028\"\n[[many]]\ng = 1\n"
        "[[many]]\nin.h = 1\nlist = [{d = 2}]\n"
    )
    assert lines_of(text) == {
        "a": 2,
        "a.b": 2,
        "text": 4,
        "list": 8,
        "inline": 11,
        "inline.d": 11,
        "inline.e": 11,
        "inline.e.f": 11,
        "x.y.z": 12,
        "x.y.z.key": 13,
        "many": 14,
        "many.0": 14,
        "many.0.g": 15,
        "many.1": 16,
        "many.1.in": 17,
        "many.1.in.h": 17,
        "many.1.list": 18,
    }


@pytest.mark.parametrize(
    ("text", "files"),
    [
        ("rules = ['a.py', '/b.py']", ("{folder}/a.py", "/b.py")),
        ("rules.files = ['./a.py', '../b.py']", ("{folder}/a.py", "{folder}/../b.py")),
    ],
)
def test_rule_files_of_a_file_are_relative_to_its_directory(
    tmp_path: Path, text: str, files: tuple[str, ...]
) -> None:
    file = tmp_path / "ordertape.toml"
    file.write_text(text, encoding="utf-8")
    expected = tuple(Path(name.format(folder=tmp_path)) for name in files)
    assert load(file, {}).settings.rules.files == expected


@pytest.mark.parametrize("name", ["ORDERTAPE_RULES__FILES", "ORDERTAPE_RULES"])
def test_rule_files_of_the_environment_are_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = tmp_path / "ordertape.toml"
    file.write_text("rules.files = ['a.py']\nrules.x.y = 1", encoding="utf-8")
    monkeypatch.setenv(name, '["b.py"]')
    settings = load(file, {}).settings
    assert (settings.rules.files, settings.rules.fields) == ((Path("b.py"),), {"x": {"y": 1}})


def test_a_rules_field_in_the_environment_is_json_or_else_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "ORDERTAPE_RULES__SITE-ID__LIMIT": "3",
        "ORDERTAPE_RULES__SITE-ID__SEVERITY": "off",
        "ORDERTAPE_ACCOUNTS__7__RULES__SITE-ID__ONLY": '["a"]',
        "ORDERTAPE_ACCOUNTS": '{"8": {"rules": {"site-id": {"limit": "3"}}}}',
    }.items():
        monkeypatch.setenv(name, value)
    settings = load(None, {}).settings
    assert settings.rules.fields == {"site-id": {"limit": 3, "severity": "off"}}
    assert {account: one.rules for account, one in settings.accounts.items()} == {
        "7": {"site-id": {"only": ["a"]}},
        "8": {"site-id": {"limit": "3"}},
    }


def test_without_a_file_the_working_directory_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).settings.listen == "127.0.0.1:8080"
    (tmp_path / "ordertape.toml").write_text("listen = '127.0.0.1:9'", encoding="utf-8")
    assert load(None, {}).settings.listen == "127.0.0.1:9"
