"""A stranger's package with one rule: built, installed, and then as good as a built-in."""

import json
import os
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

import pytest

from ordertape.rule import discover

PROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "acme-order-rules"
version = "2.1.0"
dependencies = ["ordertape"]

[project.entry-points."ordertape.rules"]
acme-site = "acme_order_rules:AcmeSite"
"""
RULE = '''\
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order


@dataclass(frozen=True)
class AcmeSite:
    """Refuse orders for sites that are not ours, and write order ids in capitals."""

    sites: tuple[str, ...] = ("743",)
    """The sites that are ours."""

    example: ClassVar[str] = "<Order><SiteId>9</SiteId></Order>"

    def normalize(self, order: Order) -> None:
        for element in order.fields("CustomerOrderId"):
            order.set_text(element, order.text(element).upper())

    def validate(self, order: Order) -> Iterable[Violation]:
        for element in order.fields("SiteId"):
            if order.value(element) not in self.sites:
                allowed = " or ".join(self.sites)
                yield order.violation(element, "5016", order.unlike(element, allowed))
'''
TEST = """\
from acme_order_rules import AcmeSite
from ordertape.testing import check_rule


def test_the_rule_keeps_the_laws():
    check_rule(AcmeSite(sites=("1", "2")), examples=20)
"""
ORDER = """\
<Order>
  <CustomerOrderId>a-1</CustomerOrderId>
  <SiteId>9</SiteId>
  <PartialAllowed>true</PartialAllowed>
  <AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity></AreaCodeSearchAndOrderType>
</Order>
"""
PAGE = """\
acme-site
severity enforce, from acme-order-rules 2.1.0

Refuse orders for sites that are not ours, and write order ids in capitals.

Fields, set in [rules.acme-site]
  sites: tuple[str, ...] = ["1", "2"] (default ["743"])
      The sites that are ours.

Example
  <Order><SiteId>9</SiteId></Order>

  It is refused with 5016:
  example:1:8: error 5016: SiteId is '9'; send 1 or 2. (acme-site)
    <Order><SiteId>9</SiteId></Order>
           ^
"""
WRONG = """\
acme.toml:2: The rule acme-site has no field sties (rules.acme-site.sties); did you mean sites?
acme.toml:3: rules.acme-site.sites is wrong: Input should be a valid array; correct it.
"""


@dataclass(frozen=True)
class Environment:
    """A virtual environment with ordertape and the stranger's wheel, and a folder of its own."""

    python: Path
    folder: Path

    def ordertape(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run("-m", "ordertape", *arguments)

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
        return subprocess.run(
            [self.python, *arguments],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """The wheel is built and installed by the programs that a stranger uses.

    What it depends on is this environment's: the new one looks there, as for a second site.
    """
    folder = tmp_path_factory.mktemp("stranger")
    (folder / "pyproject.toml").write_text(PROJECT)
    (folder / "acme_order_rules.py").write_text(RULE)
    here = Environment(Path(sys.executable), folder)
    built = here.run("-m", "pip", "wheel", "--no-deps", "--wheel-dir", "dist", ".")
    assert built.returncode == 0, built.stderr
    (folder / "acme_order_rules.py").unlink()
    [wheel] = (folder / "dist").glob("*.whl")
    assert here.run("-m", "venv", "--without-pip", "venv").returncode == 0
    there = Environment(folder / "venv" / "bin" / "python", folder)
    [site] = (folder / "venv").glob("lib/python*/site-packages")
    first = sysconfig.get_path("purelib")
    (site / "first.pth").write_text(f"import site; site.addsitedir({first!r})\n")
    installed = here.run(
        *("-m", "pip", "--python", str(there.python), "install", "--no-index", str(wheel))
    )
    assert installed.returncode == 0, installed.stderr
    (folder / "order.xml").write_text(ORDER)
    return there


def configured(stranger: Environment, text: str) -> tuple[str, str]:
    (stranger.folder / "acme.toml").write_text(text)
    return "--config", "acme.toml"


def test_a_strangers_rule_takes_one_file_of_under_thirty_lines() -> None:
    assert len(RULE.splitlines()) < 30


def test_a_strangers_rule_is_listed_with_its_package_among_the_built_in_ones(
    stranger: Environment,
) -> None:
    listed = [
        json.loads(line) for line in stranger.ordertape("rules", "--json").stdout.splitlines()
    ]
    names = [rule["name"] for rule in listed]
    assert names == sorted(names)
    assert {"acme-site", "site-id", "trim-whitespace"} < set(names)
    [own] = [rule for rule in listed if rule["name"] == "acme-site"]
    assert (own["package"], own["version"], own["severity"]) == (
        "acme-order-rules",
        "2.1.0",
        "enforce",
    )
    assert "acme-site" not in discover()


def test_a_strangers_rule_is_documented_with_its_fields_and_an_example(
    stranger: Environment,
) -> None:
    config = configured(stranger, '[rules.acme-site]\nsites = ["1", "2"]\n')
    told = stranger.ordertape("rules", "acme-site", *config)
    assert told.stdout == PAGE


def test_a_strangers_rule_normalises_and_judges_as_it_is_configured(stranger: Environment) -> None:
    refused = stranger.ordertape("check", "order.xml")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "5016" in refused.stderr
    assert "SiteId is '9'; send 743." in refused.stderr
    config = configured(stranger, '[rules.acme-site]\nsites = ["9"]\n')
    admitted = stranger.ordertape("check", "order.xml", *config)
    assert admitted.returncode == 0, admitted.stderr
    assert admitted.stdout.endswith(ORDER.replace("a-1", "A-1").rstrip())


def test_an_account_overrides_a_strangers_rule(stranger: Environment) -> None:
    config = configured(stranger, '[accounts.42.rules.acme-site]\nseverity = "warn"\n')
    warned = stranger.ordertape("check", "order.xml", "--account", "42", *config)
    assert warned.returncode == 0
    assert "SiteId is '9'; send 743." in warned.stderr


def test_a_wrong_field_of_a_strangers_rule_is_told(stranger: Environment) -> None:
    config = configured(stranger, '[rules.acme-site]\nsties = ["9"]\nsites = 9\n')
    wrong = stranger.ordertape("config", "check", *config)
    assert (wrong.returncode, wrong.stdout, wrong.stderr) == (2, "", WRONG)


def test_a_stranger_tries_the_laws_as_we_do(stranger: Environment) -> None:
    (stranger.folder / "test_acme.py").write_text(TEST)
    tried = stranger.run("-m", "pytest", "-q", "-p", "no:cacheprovider", "test_acme.py")
    assert "1 passed" in tried.stdout
