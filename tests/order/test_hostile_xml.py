"""Every row of the table of XML threats, and what is told of each."""

import time

import pytest

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
TYPE = "AreaCodeSearchAndOrderType"


def search(inside: str, around: str = "") -> bytes:
    """An area code search with this in the place of its Quantity."""
    return (
        f"<Order><SiteId>743</SiteId>{around}<{TYPE}><AreaCode>617</AreaCode>{inside}</{TYPE}></Order>"
    ).encode()


def with_dtd(subset: str, inside: str = "<Quantity>&n;</Quantity>") -> bytes:
    return f"<!DOCTYPE Order [{subset}]>".encode() + search(inside)


def quantity(value: str) -> bytes:
    return search(f"<Quantity>{value}</Quantity>")


PLAIN = quantity("10")
BOMB = '<!ENTITY n0 "ha">' + "".join(
    f'<!ENTITY n{level} "{f"&n{level - 1};" * 10}">' for level in range(1, 10)
)
SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"

FORBIDDEN = {
    "billion laughs": with_dtd(BOMB, "<Quantity>&n9;</Quantity>"),
    "billion laughs in an attribute": with_dtd(BOMB, '<Quantity a="&n9;">1</Quantity>'),
    "entities declared and unused": with_dtd(BOMB, "<Quantity>1</Quantity>"),
    "quadratic blow-up": with_dtd(f'<!ENTITY n "{"a" * 5000}">', f"<Name>{'&n;' * 2000}</Name>"),
    "recursive entity": with_dtd('<!ENTITY n "&m;"><!ENTITY m "&n;">'),
    "internal entity": with_dtd('<!ENTITY n "10">'),
    "external entity of a file": with_dtd('<!ENTITY n SYSTEM "file:///etc/passwd">'),
    "external entity of a host": with_dtd('<!ENTITY n SYSTEM "http://127.0.0.1:1/">'),
    "parameter entity": with_dtd(
        '<!ENTITY % p SYSTEM "file:///x.dtd"> %p;', "<Quantity>1</Quantity>"
    ),
    "external DTD": b'<!DOCTYPE Order SYSTEM "http://127.0.0.1:1/x.dtd">' + PLAIN,
    "default attribute": with_dtd('<!ATTLIST Order injected CDATA "v">', "<Quantity>1</Quantity>"),
    "DOCTYPE after a latin-1 declaration": (
        b'<?xml version="1.0" encoding="iso-8859-1"?><!DOCTYPE Order>' + PLAIN
    ),
    "XInclude": search(
        '<xi:include xmlns:xi="http://www.w3.org/2001/XInclude" href="file:///etc/passwd"/>'
    ),
    "nested 33 deep": b"<Order>" + b"<a>" * 31 + b"<b/>" + b"</a>" * 31 + b"</Order>",
    "nested 300 deep": b"<Order>" + b"<a>" * 300 + b"</a>" * 300 + b"</Order>",
    "element flood": b"<Order>" + b"<a/>" * 250_000 + b"</Order>",
    "mixed text flood": b"<Order>" + b"<a/>x" * 200_000 + b"</Order>",
    "attribute flood": b"<Order>" + b'<a b="1"/>' * 100_000 + b"</Order>",
    "many attributes on one element": (
        b"<Order " + b" ".join(b'a%d="1"' % number for number in range(90_000)) + b"/>"
    ),
    "33 attributes on one element": (
        b"<Order " + b" ".join(b'a%d="1"' % number for number in range(33)) + b"/>"
    ),
    "many names": b"<Order>" + b"".join(b"<a%d/>" % number for number in range(300)) + b"</Order>",
    "many attribute names": (
        b"<Order>" + b"".join(b'<a b%d="1"/>' % number for number in range(300)) + b"</Order>"
    ),
    "namespace flood": (
        b"<Order " + b" ".join(b'xmlns:a%d="u"' % number for number in range(40_000)) + b"/>"
    ),
    "instruction flood": b"<Order>" + b"<?a?>" * 200_000 + b"</Order>",
    "comment flood": b"<Order>" + b"<!---->" * 140_000 + b"</Order>",
    "name of 129 characters": search(f"<{'a' * 129}/>"),
    "name of 60 000 characters": search(f"<{'a' * 60_000}/>"),
    "attribute name of 129 characters": search(f'<Extra {"a" * 129}="1"/>'),
    "value over 64 KiB": search(f"<Extra>{'a' * 65_537}</Extra>"),
    "attribute value over 64 KiB": search(f'<Extra a="{"a" * 65_537}"/>'),
    "mark against declaration": (
        b'\xef\xbb\xbf<?xml version="1.0" encoding="ISO-8859-1"?>' + PLAIN
    ),
    "comment inside a value": quantity("1<!-- -->0"),
    "comment alone inside a value": quantity("<!-- -->"),
    "instruction inside a value": quantity("1<?x y?>0"),
    "instruction elsewhere": search("<?x y?>"),
    "instruction before the root": b"<?xml-stylesheet href='a'?>" + PLAIN,
    "instruction after the root": PLAIN + b"<?x?>",
    "element inside a value": quantity("1<x/>0"),
    "value inside itself": quantity("5000<Quantity>1</Quantity>"),
    "element inside a value of another spelling": search("<EnableLca>true<x/></EnableLca>"),
    "comment inside an unknown value": search("<Extra>1<!-- -->0</Extra>"),
    "text in the root": b"<Order>1<SiteId>743</SiteId></Order>",
    "prefixed element": search('<o:Quantity xmlns:o="urn:x">9999</o:Quantity>'),
    "prefixed root": b'<o:Order xmlns:o="urn:x"/>',
    "default namespace": b'<Order xmlns="urn:x"><Quantity>1</Quantity></Order>',
    "namespace declared and unused": b'<Order xmlns:o="urn:x"/>',
    "C#'s prefix for another namespace": b'<Order xmlns:xsi="urn:x"/>',
    "C#'s namespace put to use": search(f'<xsi:Quantity xmlns:xsi="{SCHEMA}">1</xsi:Quantity>'),
    "element under the prefix xml": search("<xml:Quantity>9999</xml:Quantity>"),
    "xsi:nil": search(f'<Quantity xmlns:xsi="{SCHEMA}" xsi:nil="true">5</Quantity>'),
    "xml:base": b'<Order xml:base="http://a/"/>',
    "xml:space": search('<Quantity xml:space="preserve">1</Quantity>'),
    "XML 1.1": b'<?xml version="1.1"?>' + PLAIN,
}

MALFORMED = {
    "undeclared prefix": search("<o:Quantity>1</o:Quantity>"),
    "undeclared entity": quantity("&n;"),
    "byte that is no UTF-8": quantity("1").replace(b"743", b"7\xff3"),
    "overlong UTF-8": quantity("1").replace(b"743", b"7\xc0\xbc3"),
    "surrogate in UTF-8": quantity("1").replace(b"743", b"\xed\xa0\x80"),
    "surrogate by reference": quantity("&#xD800;"),
    "latin-1 bytes under a UTF-8 declaration": (
        b'<?xml version="1.0" encoding="UTF-8"?><Order><Name>Caf\xe9</Name></Order>'
    ),
    "NUL": quantity("1\0000"),
    "NUL at the end": PLAIN + b"\0",
    "NUL by reference": quantity("1&#0;0"),
    "control by reference": quantity("1&#1;0"),
    "control character": quantity("1\x010"),
    "non-character": quantity("1\ufffe0"),
    "second root": PLAIN + PLAIN,
    "text after the root": PLAIN + b"x",
    "blank before the declaration": b' <?xml version="1.0"?>' + PLAIN,
    "second declaration": b'<?xml version="1.0"?><?xml version="1.0"?>' + PLAIN,
    "second mark": b"\xef\xbb\xbf\xef\xbb\xbf" + PLAIN,
    "declaration without a version": b'<?xml encoding="utf-8"?>' + PLAIN,
    "declaration without an end": b'<?xml version="1.0"',
    "EBCDIC": '<?xml version="1.0"?><Order/>'.encode("cp037"),
    "HTML": b"<html><p>x</html>",
    "another root": b"<LnpOrder/>",
    "a root that is another element": b"<SiteId>743</SiteId>",
    "JSON": b'{"Order": {}}',
    "nothing": b"",
    "blanks": b" \n ",
    "half an order": PLAIN[:40],
    "attribute twice": search('<Extra a="1" a="2"/>'),
}

AMBIGUOUS = {
    "Quantity twice": search("<Quantity>1</Quantity><Quantity>5000</Quantity>"),
    "SiteId twice": search("", "<SiteId>9</SiteId>"),
    "order type twice": search("", f"<{TYPE}><Quantity>1</Quantity></{TYPE}>"),
    "order type under two spellings": (
        b"<Order><ZIPSearchAndOrderType/><ZipSearchAndOrderType/></Order>"
    ),
    "EnableLCA under two spellings": search(
        "<EnableLCA>true</EnableLCA><EnableLca>false</EnableLca>"
    ),
    "order in an order": search("", "<Order/>"),
    "case variant": search("<quantity>5000</quantity>"),
    "case variant of the name": search("", "<name>x</name>"),
    "case variant of an order type": b"<Order><areaCodeSearchAndOrderType/></Order>",
    "case variant of a listed spelling": search("<enableLca>true</enableLca>"),
    "case variant of the root": b"<order/>",
}

CHARSET = {
    "UTF-7": b'<?xml version="1.0" encoding="UTF-7"?>' + quantity("+ADEAMA-"),
    "UTF-7 hiding a DTD": b'<?xml version="1.0" encoding="UTF-7"?>+ADwAIQ-DOCTYPE a+AD4-',
    "UTF-16 declared on ASCII": b'<?xml version="1.0" encoding="UTF-16"?>' + PLAIN,
    "Shift_JIS": b'<?xml version="1.0" encoding="Shift_JIS"?>' + PLAIN,
    "UTF-16 with a mark": PLAIN.decode().encode("utf-16"),
    "UTF-16 LE": PLAIN.decode().encode("utf-16-le"),
    "UTF-16 BE": PLAIN.decode().encode("utf-16-be"),
    "UTF-32 with a mark": PLAIN.decode().encode("utf-32"),
    "UTF-32 BE": PLAIN.decode().encode("utf-32-be"),
}

NO_NUMBER = {
    "nothing": "",
    "blanks": " \n",
    "no-break spaces": "\xa010\xa0",
    "an em space": "\u200310",
    "a line inside": "1\r\n0",
    "Arabic digits": "١٢٣",
    "fullwidth digits": "１０",  # noqa: RUF001 - they are the attack
    "superscript": "²",
    "a sign": "+1",
    "a minus": "-0",
    "an underscore": "1_000",
    "an exponent": "1e3",
    "a fraction": "1.0",
    "hexadecimal": "0x10",
    "5000 digits": "1" * 5000,
    "eight digits": "10000000",
}


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


ALMOST_TOO_MUCH = {
    "nodes": b"<Order>" + b"<a/>" * 19_990 + b"</Order>",
    "attributes": b"<Order>" + b'<a b="1"/>' * 9_990 + b"</Order>",
    "C# declarations everywhere": (
        b"<Order>" + f'<a xmlns:xsi="{SCHEMA}"/>'.encode() * 9_990 + b"</Order>"
    ),
    "text without an end": b"<Order><a/>" + b"a" * 1_048_000 + b"</Order>",
    "text without an end beside many nodes": (
        b"<Order><b>" + b"<a b='1'/>" * 300 + b"</b><a>" + b"a" * 1_000_000 + b"</a></Order>"
    ),
    "blanks": b"<Order>" + b"<a b='1'/>" * 300 + b" " * 1_000_000 + b"</Order>",
    "many equal names after blanks": b"<Order>" + b" a" * 500_000 + b"=" * 300 + b"</Order>",
    "numbers": (
        b"<Order><ExistingTelephoneNumberOrderType><TelephoneNumberList>"
        + b"".join(b"<TelephoneNumber> %d</TelephoneNumber>" % number for number in range(19_990))
        + b"</TelephoneNumberList></ExistingTelephoneNumberOrderType></Order>"
    ),
}


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
