"""Where a setting comes from, and what is said of a wrong one."""

from pathlib import Path

import pytest

from ordertape.config import load
from ordertape.errors import StartUpError


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
    ("text", "sentence"),
    [
        ("lisen = 'x'", "There is no setting lisen (from {file}); did you mean listen?"),
        (
            "[timeouts]\nconect = 1",
            "There is no setting timeouts.conect (from {file}); did you mean connect?",
        ),
        (
            "[timeouts]\nconnect = 'soon'",
            (
                "The setting timeouts.connect (from {file}) is wrong: Input should be a valid "
                "number, unable to parse string as a number; correct it."
            ),
        ),
        (
            "[timeouts]\norder_total = 8",
            (
                "The settings timeouts do not fit together: order_total must be more than twice "
                "connect, or an order could be in doubt that was never sent; correct them."
            ),
        ),
        (
            "[timeouts]\nshutdown = 20",
            (
                "The settings timeouts do not fit together: shutdown must be more than "
                "order_total, or a stop could break off orders; correct them."
            ),
        ),
        (
            "via = 'a b'",
            (
                "The setting via (from {file}) is wrong: String should match pattern "
                "'^[A-Za-z0-9!#$%&'*+.^_`|~-]+(:[0-9]+)?$'; correct it."
            ),
        ),
        (
            "[redact]\nheaders = 'X-Key'",
            (
                "The setting redact.headers (from {file}) is wrong: Input should be a valid array; "
                "correct it."
            ),
        ),
        (
            "zzzzqqqq = 1",
            "There is no setting zzzzqqqq (from {file}); docs/reference.md lists them all.",
        ),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(StartUpError) as error:
        load(file, {})
    assert str(error.value) == sentence.format(file=file)


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
    with pytest.raises(StartUpError, match=rf"^[^\n]*from {file}[^\n]*$"):
        load(file, {})


def test_a_file_that_is_not_there_or_no_toml_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartUpError, match=r"none\.toml cannot be read"):
        load(tmp_path / "none.toml", {})
    (tmp_path / "bad.toml").write_text("a = [", encoding="utf-8")
    with pytest.raises(StartUpError, match=r"bad\.toml is not TOML"):
        load(tmp_path / "bad.toml", {})


def test_without_a_file_the_working_directory_decides(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(None, {}).settings.listen == "127.0.0.1:8080"
    (tmp_path / "ordertape.toml").write_text("listen = '127.0.0.1:9'", encoding="utf-8")
    assert load(None, {}).settings.listen == "127.0.0.1:9"
