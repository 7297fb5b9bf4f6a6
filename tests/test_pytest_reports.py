"""What a test is told of the requests that it made through the fixture, and what it is spared."""

import pytest

from pytests import run, write

pytest_plugins = ["pytester"]

MISSES = """
@pytest.mark.ordertape("two")
def test_swallows_a_miss(ordertape):
    order(ordertape, "212")


@pytest.mark.ordertape("two")
def test_fails_by_itself(ordertape):
    assert order(ordertape, "212")[0] == 201


@pytest.mark.ordertape("two")
def test_fails_without_a_miss(ordertape):
    order(ordertape)
    raise ValueError("mine")


@pytest.mark.ordertape("two")
def test_uses_one(ordertape):
    assert order(ordertape)[0] == 201


@pytest.mark.ordertape("two", unused="fail")
def test_must_use_both(ordertape):
    assert order(ordertape)[0] == 201


@pytest.mark.ordertape("two", missed="report")
def test_wants_a_miss(ordertape):
    assert order(ordertape, "212")[0] == 409


@pytest.mark.ordertape("two", ignore=["/Order/AreaCodeSearchAndOrderType/AreaCode"])
def test_ignores_the_difference(ordertape):
    assert order(ordertape, "212")[0] == 201


@pytest.mark.ordertape("two", repeat="last")
class TestRepeated:
    def test_repeats(self, ordertape):
        assert [order(ordertape)[0] for _ in range(3)] == [201] * 3

    @pytest.mark.ordertape(repeat="error")
    def test_is_exhausted(self, ordertape):
        assert [order(ordertape)[0] for _ in range(2)] == [201] * 2


@pytest.mark.ordertape("two", config="strict.toml")
def test_rules_of_its_own(ordertape):
    search = b"<StateSearchAndOrderType><State>NC</State></StateSearchAndOrderType>"
    body = b"<Order><SiteId>1</SiteId>" + search + b"</Order>"
    status, answer = ask(ordertape, "/accounts/1/orders", body, {"Content-Type": "text/xml"})
    assert status == 400 and b"has no Quantity" in answer


def test_never_recorded(ordertape):
    assert ask(ordertape, "/a")[0] == 200


@pytest.fixture
def asking_late(ordertape):
    yield
    order(ordertape, "212")


@pytest.mark.ordertape("two")
def test_misses_late(asking_late, ordertape):
    assert order(ordertape)[0] == 201
"""

OUTCOMES = {
    "test_swallows_a_miss": "failed",
    "test_fails_by_itself": "failed",
    "test_fails_without_a_miss": "failed",
    "test_uses_one": "passed",
    "test_must_use_both": "failed",
    "test_wants_a_miss": "passed",
    "test_ignores_the_difference": "passed",
    "TestRepeated::test_repeats": "passed",
    "TestRepeated::test_is_exhausted": "failed",
    "test_rules_of_its_own": "passed",
    "test_never_recorded": "failed",
    "test_misses_late": "error",
}

TWO = """
@pytest.mark.ordertape("two")
def test_two(ordertape):
    assert [order(ordertape, area)[0] for area in ("617", "919")] == [201, 201]
"""


def section(text: str, test: str) -> str:
    """What was printed of one test's failure."""
    return text.partition(f"_ {test} _")[2].partition("\n____")[0]


def test_a_failure_tells_what_was_missed_and_what_was_not_used(pytester: pytest.Pytester) -> None:
    write(
        pytester.path,
        {"test_a.py": TWO, "strict.toml": "[rules.quantity]\nmissing = 'refuse'\n"},
    )
    assert run(pytester, "--ordertape-record-mode=once").code == 0
    (pytester.path / "test_a.py").unlink()
    write(pytester.path, {"test_a.py": MISSES})
    found = run(pytester)
    assert found.outcomes == OUTCOMES, found.text
    cassette = "cassettes/test_a/two.yaml"
    missed = section(found.text, "test_swallows_a_miss")
    assert "There is no recording of POST /accounts/9900012/orders" in missed
    assert "/Order/AreaCodeSearchAndOrderType/AreaCode" in missed
    assert f"interaction 1 of {cassette}" in missed
    assert "Recordings that were not asked for:" in missed
    assert 'Options are keywords here: --ignore X is ignore=["X"]' in missed
    assert "- ordertape -" not in missed
    by_itself = section(found.text, "test_fails_by_itself")
    assert "assert 409 == 201" in by_itself
    assert "- ordertape -" in by_itself
    assert "Requests without a recording:" in by_itself
    without = section(found.text, "test_fails_without_a_miss")
    assert "ValueError: mine" in without
    assert "Requests without a recording:" not in without
    assert f"interaction 2 of {cassette}" in without
    assert f"interaction 2 of {cassette}" in section(found.text, "test_must_use_both")
    assert "has been used (1 of 1)" in section(found.text, "TestRepeated.test_is_exhausted")
    never = section(found.text, "test_never_recorded")
    assert "There is no cassette" in never
    assert "test_never_recorded.yaml; record it with --record-mode=once." in never
    assert found.text.count("Traceback") == 0


WRONG = """
@pytest.mark.ordertape(ignroe=[])
def test_an_option(ordertape): ...


@pytest.mark.ordertape(ignore="/Order/Name")
def test_a_list(ordertape): ...


@pytest.mark.ordertape(repeat="often")
def test_a_choice(ordertape): ...


@pytest.mark.ordertape(ignore=["/Order["])
def test_an_xpath(ordertape): ...


@pytest.mark.ordertape("a", "b")
def test_two_cassettes(ordertape): ...


@pytest.mark.ordertape(config="none.toml")
def test_a_configuration(ordertape): ...


@pytest.mark.ordertape("damaged")
def test_a_damaged_cassette(ordertape): ...


@pytest.mark.parametrize("_", [1, 2], ids=["a/b", "a?b"])
def test_of_one_name(ordertape, _): ...
"""

SENTENCES = [
    "The mark ordertape has no option 'ignroe'; it has ignore.",
    "The mark ordertape has ignore='/Order/Name'; write a list, ['/Order/Name'].",
    "The mark ordertape has repeat='often'; write last or loop or error.",
    "'/Order[' is no XPath",
    "The mark ordertape takes one cassette.",
    "The configuration {folder}/none.toml cannot be read",
    "{folder}/cassettes/test_wrong/damaged.yaml:",
    "would also be that of test_wrong.py::test_of_one_name[a/b]; name another with",
]


def test_what_is_wrong_is_one_sentence_in_the_test_that_has_it(pytester: pytest.Pytester) -> None:
    damaged = "interactions:\n- request: {}\n"
    files = {"test_wrong.py": WRONG, "cassettes/test_wrong/damaged.yaml": damaged}
    write(pytester.path, files)
    found = run(pytester, "--record-mode=all")
    assert list(found.outcomes.values()).count("error") == len(SENTENCES)
    for sentence in SENTENCES:
        assert f"\n{sentence.format(folder=pytester.path)}" in found.text or (
            sentence.format(folder=pytester.path) in found.text
        ), sentence
    assert "Traceback" not in found.text
    assert (pytester.path / "cassettes/test_wrong/damaged.yaml").read_text() == damaged


QUIET = """
import logging
import structlog


def test_output(ordertape, capsys, caplog):
    order(ordertape)
    structlog.get_logger("mine").info("mine")
    printed = capsys.readouterr()
    assert printed.err == "" and "mine" in printed.out and "exchange" not in printed.out
    assert [one.name for one in caplog.records if one.levelno > logging.INFO] == []
"""


def test_the_gateways_log_does_not_become_a_tests_output(pytester: pytest.Pytester) -> None:
    write(pytester.path, {"test_quiet.py": QUIET})
    found = run(pytester, "--record-mode=once")
    assert found.code == 0, found.text
