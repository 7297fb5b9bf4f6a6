"""Runs of pytest over files that are written for them."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from ordertape.testing.bench import Wanted, shared

CLIENT = '''
import urllib.error
import urllib.request

import pytest


def ask(url, path, body=None, headers={}, method=None):
    """(status, body) of one request."""
    request = urllib.request.Request(url + path, body, headers, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def order(url, area="617", path="/accounts/9900012/orders", inner=""):
    body = (
        f"<Order>{inner}<SiteId>743</SiteId><AreaCodeSearchAndOrderType>"
        f"<AreaCode>{area}</AreaCode><Quantity>1</Quantity></AreaCodeSearchAndOrderType></Order>"
    )
    credentials = {"Content-Type": "application/xml", "Authorization": "Basic dXNlcjpwYXNz"}
    return ask(url, path, body.encode(), credentials)
'''
"""What the files begin with."""

INI = """[pytest]
asyncio_mode = auto
asyncio_default_fixture_loop_scope = function
filterwarnings = error
"""


@dataclass(frozen=True)
class Run:
    """How a run ended, by test, and what was printed."""

    code: int
    outcomes: Mapping[str, str]
    text: str


def write(folder: Path, files: Mapping[str, str], ini: str = "") -> None:
    """Write the files, those in Python behind `CLIENT`, and the settings."""
    (folder / "pytest.ini").write_text(INI + ini)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(CLIENT + text if name.endswith(".py") else text)


def run(pytester: pytest.Pytester, *options: str) -> Run:
    """Run pytest in this process, over what lies in the pytester's folder."""
    # Pytester forgets the modules that a run imports: those that are here before stay the same.
    shared().play(Wanted(())).end()
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-rA", *options)
    return _run(int(done.ret), done.stdout.str() + done.stderr.str())


def run_apart(folder: Path, *options: str) -> Run:
    """Run pytest in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *options],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return _run(done.returncode, done.stdout + done.stderr)


def environment() -> dict[str, str]:
    """This process's, but for what concerns pytest and the gateway in it."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST_", "ORDERTAPE_"))
    }


def _run(code: int, text: str) -> Run:
    found = re.findall(r"^(PASSED|FAILED|ERROR|XFAIL) \S*?::(\S+)", text, re.MULTILINE)
    return Run(code, {test: outcome.lower() for outcome, test in found}, text)
