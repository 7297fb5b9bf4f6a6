"""Where `ordertape check` points: at the element, whatever stands before it in its line."""

from collections.abc import Callable
from pathlib import Path

import pytest
from rich.cells import cell_len

Asked = Callable[..., tuple[int, str, str]]
Refused = Callable[[bytes], str]

READY = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\r\n<Order>\r\n'
    b"\t<!-- kept --><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>\r\n"
    b"  <AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>2</Quantity>\r\n"
    b"  </AreaCodeSearchAndOrderType></Order>"
)
"""An order that needs nothing."""


@pytest.fixture
def refused(tmp_path: Path, here: Asked) -> Refused:
    """What is said of an order that is refused; nothing else is printed."""

    def run(body: bytes) -> str:
        (tmp_path / "order.xml").write_bytes(body)
        code, printed, said = here("check", "order.xml", cwd=tmp_path)
        assert (code, printed) == (1, "")
        return said

    return run


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b"<Order>\n <Name>x</Order>",
            (
                (
                    "order.xml:2:17: error 94000: The body is not well-formed XML (Opening and "
                    "ending tag mismatch: Name line 2 and Order, line 2, column 17); correct it."
                ),
                "   <Name>x</Order>",
                "                  ^",
            ),
        ),
        (
            b"<Order>\n <Name>x</Name><name>y</name></Order>",
            (
                "order.xml:2:16: error 94002: <name> in line 2 is written <Name>; send it so.",
                "   <Name>x</Name><name>y</name></Order>",
                "                 ^",
            ),
        ),
        (
            b"<Order>\n <Name>Caf\xe9</Name></Order>",
            (
                (
                    "order.xml:2:11: error 94000: The byte 0xE9 in line 2 is not utf-8; encode the "
                    "order as it says it is."
                ),
                "   <Name>Caf\\xe9</Name></Order>",
                "            ^",
            ),
        ),
        (
            b"<Order>\n\n<?a b?></Order>",
            (
                (
                    "order.xml:3: error 94001: There is a processing instruction in line 3; leave "
                    "it out."
                ),
                "  <?a b?></Order>",
            ),
        ),
        (
            b'<?xml version="1.0" encoding="ISO-8859-1"?>\n<a>\xc3\xa9<b/></a>',
            (
                "order.xml:2:1: error 94000: The root is <a> in line 2; it must be <Order>.",
                "  <a>Ã©<b/></a>",
                "  ^",
            ),
        ),
        (
            READY.replace(b"<SiteId>743", b"<Quantity>1</Quantity><SiteId>743"),
            (
                (
                    "order.xml:3:15: error 94002: Quantity stands outside the order type, where it "
                    "may count or not; move it into the order-type element. (cost)"
                ),
                "      <!-- kept --><Quantity>1</Quantity><SiteId>743</SiteId><PartialAllow…",
                "                   ^",
            ),
        ),
        (
            b"<!DOCTYPE a><Order/>",
            (
                (
                    "order.xml: error 94001: There is a DOCTYPE or an ENTITY in the XML; send the "
                    "order without."
                ),
            ),
        ),
        (b"<Order/>".decode().encode("utf-16"), None),
        (b"", None),
    ],
)
def test_what_cannot_be_read_is_pointed_at_as_far_as_its_place_is_known(
    refused: Refused, body: bytes, said: tuple[str, ...] | None
) -> None:
    errors = refused(body)
    if said is not None:
        assert tuple(errors.splitlines()) == said
    assert errors.startswith("order.xml")


@pytest.mark.parametrize(
    ("before", "shown"),
    [
        ("", ""),
        ("\t\t", "        "),
        ("<Name>漢字</Name>", "<Name>漢字</Name>"),
        ("<Name>e\u0301 \u200b</Name>", "<Name>e\u0301 \\u200b</Name>"),
        ("<Name>\U0001f600</Name>", "<Name>\U0001f600</Name>"),
        (f"<A>{'a' * 60_000}</A>" * 15, f"…{'a' * 20}</A>"),
        (f"<A>{'漢' * 9_999}</A>", f"…{'漢' * 10}</A>"),
        (f"<A>{chr(0x85) * 9_999}</A>", "…\\x85\\x85\\x85\\x85\\x85</A>"),
        ("<A/>" + "\t" * 9_999, f"…{' ' * 24}"),
    ],
)
def test_the_caret_stands_under_the_element(refused: Refused, before: str, shown: str) -> None:
    line = f"\r\n{before}<SiteId>x</SiteId>\r\n".encode()
    body = READY.replace(b"<SiteId>743</SiteId>", line)
    assert refused(body) == (
        f"order.xml:4:{len(before) + 1}: error 5016: SiteId is 'x'; send digits. (site-id)\n"
        f"  {shown}<SiteId>x</SiteId>\n"
        f"  {' ' * cell_len(shown)}^\n"
    )
