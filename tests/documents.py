"""What docs/reference.md says, for tests that hold it against what is printed."""

import re
from pathlib import Path

REFERENCE = Path(__file__).parent.parent / "docs" / "reference.md"


def documented(section: str) -> list[str]:
    """The names in the first column of the table under this heading."""
    text = REFERENCE.read_text("utf-8").partition(f"## `{section}`")[2].partition("\n## ")[0]
    return re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE)
