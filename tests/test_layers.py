"""The table of layers, held against the imports of every module."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "proxy" / "ordertape"

ROWS: tuple[tuple[str, ...], ...] = (
    ("model", "errors"),
    ("order", "matching", "canonical", "answers", "route", "hops", "coding"),
    ("rule", "explaining", "redaction", "quota"),
    ("admission", "giving", "transcript", "store", "cassette", "drift"),
    ("upstream", "recheck", "verifying"),
    ("gateway", "direct"),
    ("config", "logs"),
    ("build", "quota_control"),
    ("server", "admin", "service", "pytest_plugin", "testing"),
    ("cli", "__main__"),
)
ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}


def part(module: str) -> str | None:
    """`ordertape.store.sqlite` → `store`; None for the package itself."""
    names = module.split(".")
    return names[1] if len(names) > 1 else None


def imported(source: Path) -> set[str]:
    """Every ordertape module that this file imports, however it does."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: imports are absolute"
            found.add(node.module or "")
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "ordertape"}


MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("source", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_only_from_its_row_or_rows_above_it(source: Path) -> None:
    own = source.relative_to(PACKAGE).parts[0].removesuffix(".py")
    if own == "__init__":
        assert not imported(source)
        return
    assert own in ROW_OF, f"{own} has no row: add it to the table here and in CONTRIBUTING.md"
    for module in imported(source):
        name = part(module)
        if name in ROW_OF:
            assert ROW_OF[name] <= ROW_OF[own], f"{source.name} imports {module} from a later row"


def test_rules_know_only_the_order_and_its_values() -> None:
    allowed = {"model", "errors", "order"}
    for source in (ROOT / "rules" / "ordertape_rules").rglob("*.py"):
        names = {part(module) for module in imported(source)} - {None}
        assert names & set(ROW_OF) <= allowed, source


def test_contributing_shows_the_same_table() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    shown = [
        (int(row), set(re.findall(r"`([a-z_]+)/?`", names)))
        for row, names in re.findall(r"^\| (\d) \| ([^|]+) \|", text, re.MULTILINE)
    ]
    built = {path.relative_to(PACKAGE).parts[0].removesuffix(".py") for path in MODULES}
    flat = {(row, name) for row, names in shown for name in names}
    assert flat == {(ROW_OF[name], name) for name in built if not name.startswith("__")}
