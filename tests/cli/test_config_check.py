"""`ordertape config check`: everything that is wrong at once, each with its line."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from audited import fill_with_six
from gateways import as_json
from ordertape.store.key import load_key
from processes import ordertape

Asked = Callable[..., tuple[int, str, str]]

RULE = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Tight:
    limit: int = 1

    def validate(self, order):
        return []
"""


@pytest.fixture
def checked(tmp_path: Path, here: Asked) -> Asked:
    def run(*arguments: str, variables: Mapping[str, str] | None = None) -> tuple[int, str, str]:
        return here("config", "check", *arguments, cwd=tmp_path, variables=variables)

    return run


def write(folder: Path, text: str, name: str = "ordertape.toml") -> None:
    (folder / name).write_text(text, encoding="utf-8")


def test_a_right_configuration_is_one_line_with_what_it_would_run(
    tmp_path: Path, checked: Asked, here: Asked
) -> None:
    write(tmp_path, RULE, "house.py")
    write(
        tmp_path,
        "rules.files = ['house.py']\n[rules.tight]\nseverity = 'off'\n"
        "[accounts.7.rules.tight]\nseverity = 'warn'\n",
    )
    listed = here("rules", "--json", cwd=tmp_path)[1].count("\n")
    told = f"ordertape.toml is right: {listed} rules (1 of them off), other rules for 1 account.\n"
    assert checked() == (0, told, "")
    assert checked("--json") == (0, "", "")


def test_without_a_file_the_environment_is_checked(checked: Asked) -> None:
    code, printed, errors = checked()
    assert (code, errors) == (0, "")
    assert printed.startswith("The configuration is right: ")


def test_every_problem_of_settings_rules_and_environment_comes_with_its_place(
    tmp_path: Path, checked: Asked
) -> None:
    write(tmp_path, RULE, "house.py")
    write(
        tmp_path,
        """\
# The gateway of the house.
listen = "everywhere"
lisen = "x"
upstream = "ftp://service.example"

[timeouts]
raed = 3
connect = "soon"

[limits]
order = "2MiB"

[rules]
files = ["house.py"]

[rules.trim-whitespce]
severity = "off"

[rules.tight]
severity = "wran"
limt = 4

[accounts.'a b'.rules.tight]
limit = 1

[accounts.42.rules.tight]
limit = [
  3,
]
""",
    )
    variables = {"ORDERTAPE_SEDE": "1", "ORDERTAPE_TIMEOUTS__BODY": "canary"}
    code, printed, errors = checked(variables=variables)
    assert (code, printed) == (2, "")
    assert errors.splitlines() == [
        "ORDERTAPE_SEDE: This variable sets nothing that exists; did you mean ORDERTAPE_SEED?",
        (
            "ORDERTAPE_TIMEOUTS__BODY: The setting timeouts.body is wrong: Input should be a valid "
            "number, unable to parse string as a number; correct it."
        ),
        (
            "ordertape.toml:2: listen everywhere is not HOST:PORT; write it like 127.0.0.1:8080 or "
            "[::1]:8080."
        ),
        "ordertape.toml:3: There is no setting lisen; did you mean listen?",
        (
            "ordertape.toml:4: The upstream URL is neither http nor https; "
            "write it as https://host[:port][/path-prefix]."
        ),
        "ordertape.toml:7: There is no setting timeouts.raed; did you mean timeouts.read?",
        (
            "ordertape.toml:8: The setting timeouts.connect is wrong: Input should be a valid "
            "number, unable to parse string as a number; correct it."
        ),
        (
            "ordertape.toml:11: The setting limits.order is wrong: Input should be less than or "
            "equal to 1048576; correct it."
        ),
        (
            "ordertape.toml:16: There is no rule trim-whitespce ([rules.trim-whitespce]); "
            "did you mean trim-whitespace?"
        ),
        "ordertape.toml:20: rules.tight.severity is 'wran'; it is one of enforce, warn and off.",
        (
            "ordertape.toml:21: The rule tight has no field limt (rules.tight.limt); "
            "did you mean limit?"
        ),
        (
            "ordertape.toml:23: There is no account a b: an id has letters, digits, _ and - only; "
            "correct it."
        ),
        (
            "ordertape.toml:27: accounts.42.rules.tight.limit is wrong: Input should be a valid "
            "integer; correct it."
        ),
    ]
    _, printed, _ = checked("--json", variables=variables)
    rows = as_json(printed)
    assert [
        f"{row['from']}{':' + str(row['line']) if row['line'] else ''}: {row['message']}"
        for row in rows
    ] == errors.splitlines()
    assert rows[3] == {
        "severity": "error",
        "key": "lisen",
        "from": "ordertape.toml",
        "line": 3,
        "message": "There is no setting lisen; did you mean listen?",
    }


def test_rule_files_that_are_missing_or_broken_are_told_and_their_rules_are_not(
    tmp_path: Path, checked: Asked
) -> None:
    write(tmp_path, "import", "broken.py")
    write(
        tmp_path,
        "[rules]\nfiles = ['none.py', 'broken.py']\n[rules.tight]\nlimit = 4\n"
        "[rules.trim-whitespace]\nnothing = 1\n",
    )
    code, _, errors = checked()
    assert code == 2
    assert errors.splitlines() == [
        (
            "ordertape.toml:2: The rule file none.py cannot be read (No such file or directory); "
            "correct its path."
        ),
        (
            "ordertape.toml:2: The rule file broken.py cannot be imported (SyntaxError: "
            "invalid syntax (broken.py, line 1)); mend it."
        ),
        (
            "ordertape.toml:6: The rule trim-whitespace has no field nothing "
            "(rules.trim-whitespace.nothing); there are severity."
        ),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = \n", "ordertape.toml:2: This is not TOML: Invalid value; mend it."),
        ("[rules.none]\nb = [\n", "ordertape.toml:2: This is not TOML: Invalid value; mend it."),
    ],
)
def test_a_mistake_in_toml_has_its_line(
    tmp_path: Path, checked: Asked, text: str, said: str
) -> None:
    write(tmp_path, text)
    variables = {"ORDERTAPE_RULES__TIGHT__LIMIT": "3"}  # of a rule file that is not known now
    assert checked(variables=variables) == (2, "", f"{said}\n")


def test_an_account_that_the_store_does_not_know_is_a_note(tmp_path: Path, checked: Asked) -> None:
    fill_with_six(tmp_path / "ordertape.db")
    write(
        tmp_path,
        "[accounts.14.rules.trim-whitespace]\nseverity = 'off'\n"
        "[accounts.41.rules.trim-whitespace]\nseverity = 'off'\n",
    )
    code, printed, errors = checked()
    said = "Nothing is recorded of account 41 in ordertape.db; is it misspelt?"
    assert (code, errors) == (0, f"ordertape.toml:3: {said}\n")
    assert printed.startswith("ordertape.toml is right: ")
    code, printed, _ = checked("--json")
    assert code == 0
    assert json.loads(printed) == {
        "severity": "note",
        "key": "accounts.41",
        "from": "ordertape.toml",
        "line": 3,
        "message": said,
    }


def test_quotas_and_credentials_are_counted_and_their_accounts_looked_up(
    tmp_path: Path, checked: Asked
) -> None:
    fill_with_six(tmp_path / "ordertape.db")
    _, key_id = load_key(tmp_path / "ordertape.db", None)
    write(
        tmp_path,
        "[[quotas]]\nname = 'day'\nwindow = 'day'\nlimit = 1\n"
        "[[quotas]]\nname = 'week'\nwindow = 'week'\nlimit = 1\nmode = 'shadow'\n"
        "accounts = ['14', '41']\n"
        f"[accounts.14]\ncredentials = ['ordertape:{key_id}:0123456789abcdef']\n",
    )
    code, printed, errors = checked()
    said = "Nothing is recorded of account 41 in ordertape.db; is it misspelt?"
    assert (code, errors) == (0, f"ordertape.toml:10: {said}\n")
    assert printed.partition(", ")[2] == (
        "other rules for no accounts, 2 quotas (1 of them in shadow), credentials for 1 account.\n"
    )


def test_digests_of_another_key_are_told_where_the_store_has_one(
    tmp_path: Path, checked: Asked
) -> None:
    digest = f"ordertape:00000000:{'0' * 16}"
    write(tmp_path, f"[accounts.7]\ncredentials = ['{digest}']\n")
    assert checked()[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["ordertape.toml"]
    _, key_id = load_key(tmp_path / "ordertape.db", None)
    said = (
        "ordertape.toml:2: The setting accounts.7.credentials.0 was made with the key 00000000, "
        f"and the store's is {key_id}; make it anew with `ordertape account fingerprint`.\n"
    )
    assert checked() == (2, "", said)
    (tmp_path / "ordertape.db.key").chmod(0o644)
    code, _, errors = checked()
    assert code == 2
    assert errors.startswith("Others than its owner may read the key file ")


def test_serve_names_the_first_problem_and_where_to_see_all(tmp_path: Path) -> None:
    write(tmp_path, "[rules.trim-whitespace]\na = 1\nb = 2\n")
    done = ordertape("serve", "--sandbox", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "ordertape: ordertape.toml:2: The rule trim-whitespace has no field a "
        "(rules.trim-whitespace.a); there are severity. `ordertape config check` names more.\n"
    )
