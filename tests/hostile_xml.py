"""Orders that two readers may read differently, or that are meant to cost a reader dear.

Every row of the table of XML threats, and more of their kind, by what is wrong with it.
"""

from collections.abc import Iterable
from itertools import islice, product

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


def numbers(values: Iterable[bytes]) -> bytes:
    """An order for these telephone numbers."""
    listed = b"".join(b"<TelephoneNumber>%b</TelephoneNumber>" % value for value in values)
    return (
        b"<Order><SiteId>743</SiteId><ExistingTelephoneNumberOrderType><TelephoneNumberList>"
        + listed
        + b"</TelephoneNumberList></ExistingTelephoneNumberOrderType></Order>"
    )


PLAIN = quantity("10")
BOMB = '<!ENTITY n0 "ha">' + "".join(
    f'<!ENTITY n{level} "{f"&n{level - 1};" * 10}">' for level in range(1, 10)
)
SCHEMA = "http://www.w3.org/2001/XMLSchema-instance"

ALIKE = tuple("".join(pairs).encode() for pairs in islice(product(("Aa", "BB"), repeat=15), 20_000))
"""Names that all have the same hash where it is made by `h * 31 + c`."""

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
    "external DTD of a public name": b'<!DOCTYPE Order PUBLIC "-//x" "x.dtd">' + PLAIN,
    "DOCTYPE alone": b"<!DOCTYPE Order>" + PLAIN,
    "DOCTYPE after a comment": b"<!-- a --><!DOCTYPE Order>" + PLAIN,
    "DOCTYPE after a mark": b"\xef\xbb\xbf<!DOCTYPE Order>" + PLAIN,
    "laughs of parameter entities": with_dtd(
        "<!ENTITY % p \"<!ENTITY q 'ha'>\"> %p; %p; %p;", "<Quantity>&q;</Quantity>"
    ),
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
    "attribute names of one hash": (
        b"<Order " + b" ".join(b'%b="1"' % name for name in ALIKE) + b"/>"
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
    "CDATA flood": b"<Order><Extra>" + b"<![CDATA[]]>" * 80_000 + b"</Extra></Order>",
    "reference flood": b"<Order><Extra>" + b"&#65;" * 200_000 + b"</Extra></Order>",
    "name of 129 characters": search(f"<{'a' * 129}/>"),
    "name of 60 000 characters": search(f"<{'a' * 60_000}/>"),
    "attribute name of 129 characters": search(f'<Extra {"a" * 129}="1"/>'),
    "value over 64 KiB": search(f"<Extra>{'a' * 65_537}</Extra>"),
    "attribute value over 64 KiB": search(f'<Extra a="{"a" * 65_537}"/>'),
    "comment over 4 KiB": search(f"<!--{'a' * 4097}-->"),
    "comment over 4 KiB before the root": b"<!--" + b"a" * 4097 + b"-->" + PLAIN,
    "comment over 4 KiB after the root": PLAIN + b"<!--" + b"a" * 4097 + b"-->",
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
    "envelope": (
        b'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
        + PLAIN
        + b"</s:Body></s:Envelope>"
    ),
    "default namespace": b'<Order xmlns="urn:x"><Quantity>1</Quantity></Order>',
    "namespace declared and unused": b'<Order xmlns:o="urn:x"/>',
    "C#'s prefix for another namespace": b'<Order xmlns:xsi="urn:x"/>',
    "C#'s namespace put to use": search(f'<xsi:Quantity xmlns:xsi="{SCHEMA}">1</xsi:Quantity>'),
    "element under the prefix xml": search("<xml:Quantity>9999</xml:Quantity>"),
    "xsi:nil": search(f'<Quantity xmlns:xsi="{SCHEMA}" xsi:nil="true">5</Quantity>'),
    "xml:base": b'<Order xml:base="http://a/"/>',
    "xml:space": search('<Quantity xml:space="preserve">1</Quantity>'),
    "xml:id": search('<Quantity xml:id="a">1</Quantity>'),
    "xml:lang": search('<Quantity xml:lang="en">1</Quantity>'),
    "schema of one's own": (
        f'<Order xmlns:xsi="{SCHEMA}" xsi:noNamespaceSchemaLocation="http://127.0.0.1:1/"/>'
    ).encode(),
    "XML 1.1": b'<?xml version="1.1"?>' + PLAIN,
}

MALFORMED = {
    "undeclared prefix": search("<o:Quantity>1</o:Quantity>"),
    "undeclared entity": quantity("&n;"),
    "byte that is no UTF-8": quantity("1").replace(b"743", b"7\xff3"),
    "overlong UTF-8": quantity("1").replace(b"743", b"7\xc0\xbc3"),
    "surrogate in UTF-8": quantity("1").replace(b"743", b"\xed\xa0\x80"),
    "surrogate by reference": quantity("&#xD800;"),
    "surrogates in UTF-8": quantity("1").replace(b"743", b"\xed\xa0\xbd\xed\xb8\x80"),
    "character past Unicode": quantity("&#x110000;"),
    "latin-1 bytes under a UTF-8 declaration": (
        b'<?xml version="1.0" encoding="UTF-8"?><Order><Name>Caf\xe9</Name></Order>'
    ),
    "NUL": quantity("1\0000"),
    "NUL at the end": PLAIN + b"\0",
    "form feed": quantity("1\f"),
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
    "DOCTYPE in small letters": b"<!doctype Order>" + PLAIN,
    "CDATA without an end": quantity("<![CDATA[10"),
    "comment without an end": PLAIN + b"<!-- ",
    "dashes in a comment": b"<!-- -- -->" + PLAIN,
    "a bare ampersand": quantity("1&0"),
    "blank after a mark before the declaration": (b'\xef\xbb\xbf <?xml version="1.0"?>' + PLAIN),
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
    "TelephoneNumberList twice": (
        b"<Order><ExistingTelephoneNumberOrderType><TelephoneNumberList/><TelephoneNumberList/>"
        b"</ExistingTelephoneNumberOrderType></Order>"
    ),
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
    "windows-1252": b'<?xml version="1.0" encoding="windows-1252"?>' + PLAIN,
    "EBCDIC declared on ASCII": b'<?xml version="1.0" encoding="IBM037"?>' + PLAIN,
    "UTF-16 hiding a DTD": (b"<!DOCTYPE Order>" + PLAIN).decode().encode("utf-16"),
    "UTF-16 BE with a mark": b"\xfe\xff" + PLAIN.decode().encode("utf-16-be"),
    "UTF-16 with a mark": PLAIN.decode().encode("utf-16"),
    "UTF-16 LE": PLAIN.decode().encode("utf-16-le"),
    "UTF-16 BE": PLAIN.decode().encode("utf-16-be"),
    "UTF-32 with a mark": PLAIN.decode().encode("utf-32"),
    "UTF-32 BE": PLAIN.decode().encode("utf-32-be"),
    "UTF-32 LE": PLAIN.decode().encode("utf-32-le"),
    "UTF-32 BE with a mark": b"\0\0\xfe\xff" + PLAIN.decode().encode("utf-32-be"),
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

GOOD = range(2_000_000_000, 2_000_019_980)
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
    "numbers to trim": numbers(b" %d " % number for number in GOOD),
    "numbers to trim and to refuse": numbers(b" %d " % number for number in range(19_980)),
    "numbers to refuse": numbers(b"%d" % number for number in range(19_980)),
    "one number many times": numbers(b"2000000000" for _ in GOOD),
    "blanks to trim": b"<Order>" + b"<a> </a>" * 19_990 + b"</Order>",
}
