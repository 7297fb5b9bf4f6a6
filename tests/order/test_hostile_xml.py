"""Every row of the table of XML threats, and what is told of each."""

import time

import pytest

from hostile_xml import (
    ALMOST_TOO_MUCH,
    AMBIGUOUS,
    CHARSET,
    FORBIDDEN,
    MALFORMED,
    NO_NUMBER,
    PLAIN,
    TYPE,
    quantity,
    search,
)
from ordertape.errors import (
    AmbiguousElementError,
    ForbiddenXmlError,
    MalformedError,
    RefusedError,
    TooLargeError,
    UnsupportedTypeError,
    ViolatedError,
)
from ordertape.order import read_order

XML = b"application/xml"


def table(rows: dict[str, bytes], error: type[RefusedError]) -> list[object]:
    return [pytest.param(body, error, id=attack) for attack, body in rows.items()]


@pytest.mark.parametrize(
    ("body", "error"),
    [
        *table(FORBIDDEN, ForbiddenXmlError),
        *table(MALFORMED, MalformedError),
        *table(AMBIGUOUS, AmbiguousElementError),
        *table(CHARSET, UnsupportedTypeError),
        *table({"over 1 MiB": PLAIN + b" " * (1 << 20)}, TooLargeError),
    ],
)
def test_hostile_xml_is_refused_for_what_it_is_in_one_sentence(
    body: bytes, error: type[RefusedError]
) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_order(body, XML)
    assert type(refusal.value) is error
    sentence = str(refusal.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    assert len(sentence) < 400


@pytest.mark.parametrize("value", NO_NUMBER.values(), ids=NO_NUMBER)
def test_what_is_no_number_to_every_reader_costs_a_refusal(value: str) -> None:
    order = read_order(quantity(value), XML)
    assert order.quantity is None
    with pytest.raises(ViolatedError) as refusal:
        _ = order.cost
    [violation] = refusal.value.violations
    assert (violation.code, violation.xpath, violation.line) == (
        "5009",
        f"/Order/{TYPE}/Quantity",
        1,
    )


ADMITTED = {
    "plain": (PLAIN, 10),
    "CDATA": (quantity("<![CDATA[10]]>"), 10),
    "CDATA in part": (quantity("1<![CDATA[0]]>"), 10),
    "what looks like an instruction in CDATA": (search("<Extra><![CDATA[<?x?>]]></Extra>"), 5000),
    "a mark": (b"\xef\xbb\xbf" + PLAIN, 10),
    "a mark and the same declared": (
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?>' + PLAIN,
        10,
    ),
    "a line end by reference": (quantity("&#x0A;10"), 10),
    "blanks around": (quantity(" \t10\r\n"), 10),
    "leading zeros": (quantity("007"), 7),
    "seven digits": (quantity("9999999"), 9_999_999),
    "blanks before the root": (b"\r\n\t " + PLAIN, 10),
    "latin-1 declared": (
        b'<?xml version="1.0" encoding="ISO-8859-1"?>'
        + search("<Extra>\xe9</Extra>").replace(b"\xc3\xa9", b"\xe9"),
        5000,
    ),
    "US-ASCII declared": (
        b"<?xml version='1.0' encoding='us-ascii' standalone='no' ?>" + PLAIN,
        10,
    ),
    "comments outside values": (
        b"<!-- a -->" + search("<!-- b --><Quantity>10</Quantity>") + b"<!-- c -->",
        10,
    ),
    "comments of 4 KiB": (
        b"<!--%b-->" % (b"a" * 4096) + search(f"<!--{'a' * 4096}--><Quantity>10</Quantity>"),
        10,
    ),
    "a comment in an empty unknown element": (search("<Extra><!-- a --></Extra>"), 5000),
    "attributes of one's own": (search('<Extra a="1" b="2"/>'), 5000),
    "xmlns undone": (search('<Extra xmlns=""/>'), 5000),
    "32 deep": (b"<Order>" + b"<a>" * 31 + b"</a>" * 31 + b"</Order>", 5000),
    "a value of 64 KiB": (search(f"<Extra>{'a' * 65_536}</Extra>"), 5000),
}


@pytest.mark.parametrize(("body", "cost"), ADMITTED.values(), ids=ADMITTED)
def test_what_every_reader_reads_alike_is_admitted(body: bytes, cost: int) -> None:
    assert read_order(body, XML).cost == cost


@pytest.mark.parametrize(
    ("content_type", "declared", "error"),
    [
        (b"text/xml; charset=utf-8", b"UTF-8", None),
        (b'text/xml; charset="UTF-8"', None, None),
        (b"text/xml;charset=iso-8859-1", b"ISO-8859-1", None),
        (b"text/xml; charset=iso-8859-1", b"UTF-8", ForbiddenXmlError),
        (b"text/xml; charset=utf-8", b"us-ascii", ForbiddenXmlError),
        (b"text/xml; charset=utf-8; charset=iso-8859-1", None, ForbiddenXmlError),
        (b"text/xml; charset=utf-16", b"UTF-8", UnsupportedTypeError),
        (b"text/xml; charset=utf-7", None, UnsupportedTypeError),
        (b"text/xml; charset=", None, UnsupportedTypeError),
    ],
)
def test_header_and_declaration_have_to_name_the_same_charset(
    content_type: bytes, declared: bytes | None, error: type[RefusedError] | None
) -> None:
    declaration = b'<?xml version="1.0" encoding="%b"?>' % declared if declared else b""
    if error is None:
        assert read_order(declaration + PLAIN, content_type).cost == 10
        return
    with pytest.raises(error):
        read_order(declaration + PLAIN, content_type)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<Order>\n<Name>Caf\xe9</Name>\n</Order>',
            "The byte 0xE9 in line 3 is not utf-8; encode the order as it says it is.",
        ),
        (
            b"<?xml version='1.0'\n?>\n<Order>\n<Quantity>1<!-- --></Quantity></Order>",
            "<Quantity> in line 4 holds an element or a comment; send a value only.",
        ),
        (
            b"<?xml version='1.0'?>\n<Order>\n  <SiteId>1</SiteId>\n  <siteid>2</siteid></Order>",
            "<siteid> in line 4 is written <SiteId>; send it so.",
        ),
        (
            b"<?xml version='1.0'?><Order></order>",
            (
                "The body is not well-formed XML (Opening and ending tag mismatch: Order line 1 "
                "and order, line 1, column 37); correct it."
            ),
        ),
    ],
)
def test_a_refusal_names_the_line_and_the_element(body: bytes, sentence: str) -> None:
    with pytest.raises(RefusedError) as refusal:
        read_order(body, XML)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize("body", ALMOST_TOO_MUCH.values(), ids=ALMOST_TOO_MUCH)
def test_the_worst_that_comes_near_a_limit_takes_no_longer_than_its_size(body: bytes) -> None:
    began = time.process_time()
    try:
        order = read_order(body, XML)
    except RefusedError:
        pass
    else:
        order.positions()
        _ = order.cost
    # Linear reading takes 0.1 s here; anything quadratic takes minutes.
    assert time.process_time() - began < 2
