"""How clients write orders down: the same tree in the bytes of each."""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass

from lxml import etree


@dataclass(frozen=True, slots=True)
class Layout:
    """One client's way to write. `indent` None is everything on one line.

    `before` and `after` stand around the root. `charset` is what the bytes are in; what it cannot
    hold is written as a character reference. `spread` puts values on lines of their own.
    """

    before: str = ""
    after: str = ""
    indent: str | None = None
    newline: str = "\n"
    charset: str = "utf-8"
    mark: bytes = b""
    spread: bool = False


_STANDALONE = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'

LAYOUTS: Mapping[str, Layout] = {
    "numbers-java-sdk": Layout(),
    "python": Layout("<?xml version='1.0' encoding='UTF-8'?>\n"),
    "ruby": Layout('<?xml version="1.0" encoding="UTF-8"?>'),
    "php": Layout('<?xml version="1.0"?>\n', "\n", charset="us-ascii"),
    "node": Layout(_STANDALONE, indent="  "),
    "java-iris": Layout(_STANDALONE, "\n", "    "),
    "c#": Layout('<?xml version="1.0" encoding="utf-8"?>\n', indent="  ", newline="\r\n"),
    "an old editor": Layout(
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n', "\n", "\t", charset="iso-8859-1"
    ),
    "an editor that marks": Layout(indent="\t", newline="\r\n", mark=codecs.BOM_UTF8),
    "a template in a shell script": Layout("\n  \n", "\n", "  ", spread=True),
}
"""The layouts of clients-and-orders.md's table and of editors, the simplest first.

In all but the template's an order is the same to every rule.
"""


def written(root: etree._Element, layout: Layout) -> bytes:
    """The order in this layout. `root` is compact, and its names and comments are ASCII."""
    tree = deepcopy(root.getroottree())
    if layout.spread:
        for leaf in tree.iter(etree.Element):
            if leaf.text and not len(leaf):
                leaf.text = f"\n    {leaf.text}\n  "
    if layout.indent is not None:
        etree.indent(tree, layout.indent)
    text = layout.before + etree.tostring(tree, encoding="unicode") + layout.after
    text = text.replace("\n", layout.newline)
    return layout.mark + text.encode(layout.charset, "xmlcharrefreplace")
