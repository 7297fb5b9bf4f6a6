import json
import subprocess
import sys
from pathlib import Path

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"


def test_reading_is_measured_beside_a_bare_parse_in_the_same_run() -> None:
    shortest = ("--rounds", "1", "--calls", "1", "--json")
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / "reading.py"), *shortest],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    measured = json.loads(run.stdout)
    assert {(row["order"], row["case"]) for row in measured["rows"]} == {
        (order, case)
        for order in ("needs nothing", "is changed", "as from C#")
        for case in ("bare", "read", "read, rules", "read, rules, serialise")
    }
    assert all(row["least"] <= row["x bare"] <= row["greatest"] for row in measured["rows"])
    assert [row["x bare"] for row in measured["rows"] if row["case"] == "bare"] == [1.0] * 3


def test_quotas_are_measured_beside_the_same_gateway_without_in_the_same_run() -> None:
    shortest = ("--rounds", "1", "--seconds", "0.1", "--accounts", "40", "--orders", "100")
    run = subprocess.run(
        [sys.executable, str(BENCHMARKS / "quotas.py"), *shortest, "--json"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    measured = json.loads(run.stdout)
    assert [(row["connections"], row["quotas"]) for row in measured["rows"]] == [
        (connections, case) for connections in (1, 32) for case in ("none", "four")
    ]
    assert [row["rate x none"] for row in measured["rows"] if row["quotas"] == "none"] == [1.0] * 2
    assert [row["orders in the window"] for row in measured["windows"]] == [1, 100]
