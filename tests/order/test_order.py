"""What an order says, what it costs, and what editing it notes."""

import codecs

import pytest
from lxml import etree

from order_shapes import CLIENTS
from ordertape.errors import ForbiddenXmlError, MalformedError, ViolatedError
from ordertape.model import Edit, Violation
from ordertape.order import (
    DEFAULT_QUANTITY,
    ORDER_TYPES,
    SPELLINGS,
    Format,
    media_type_ok,
    read_order,
    specified,
)

EXISTING = "ExistingTelephoneNumberOrderType"
AREA_CODE = "AreaCodeSearchAndOrderType"


@pytest.mark.parametrize("body", CLIENTS.values(), ids=CLIENTS)
def test_every_clients_order_is_read(body: bytes) -> None:
    order = read_order(body, b"application/xml")
    assert (order.site_id, order.cost, order.changed) == ("743", 2, False)
    assert specified(str(order.order_type)) in ORDER_TYPES


@pytest.mark.parametrize(
    ("content_type", "body", "ok"),
    [
        (b"application/xml", b"", True),
        (b"Application/XML; charset=utf-8", b"", True),
        (b"text/xml", b"", True),
        (b"application/vnd.orders+xml", b"", True),
        (None, b"", True),
        (b"", b"", True),
        (b"application/x-www-form-urlencoded", b"<Order/>", True),
        (b"application/x-www-form-urlencoded", b"\xef\xbb\xbf\r\n <Order/>", True),
        (b"application/x-www-form-urlencoded", b"a=<Order/>", False),
        (b"application/x-www-form-urlencoded", b"", False),
        (b"application/json", b"<Order/>", False),
        (b"text/plain", b"<Order/>", False),
        (b"application/xml-dtd", b"<Order/>", False),
    ],
)
def test_xml_types_and_none_and_what_curl_sends_may_be_orders(
    content_type: bytes | None,
    body: bytes,
    ok: bool,  # noqa: FBT001 - a column of the table
) -> None:
    assert media_type_ok(content_type, body) is ok


def test_every_listed_spelling_is_found_under_its_specified_name() -> None:
    for spelling, name in SPELLINGS.items():
        order = read_order(f"<Order><{spelling}/></Order>".encode(), None)
        assert [element.tag for element in order.elements(name)] == [spelling]
        assert order.child(order.root, name) is not None


@pytest.mark.parametrize("name", [*ORDER_TYPES, *(key for key in SPELLINGS if "OrderType" in key)])
def test_every_order_type_is_told_as_it_was_sent(name: str) -> None:
    assert read_order(f"<Order><{name}/></Order>".encode(), None).order_type == name


def search(quantity: object) -> str:
    return f"<{AREA_CODE}><Quantity>{quantity}</Quantity></{AREA_CODE}>"


def existing(name: str, *values: str) -> str:
    listed = "".join(f"<{name}>{value}</{name}>" for value in values)
    return f"<{EXISTING}><{name}List>{listed}</{name}List></{EXISTING}>"


@pytest.mark.parametrize(
    ("inside", "quantity", "cost"),
    [
        (search(" 3 "), 3, 3),
        (search(0), 0, 0),
        (f"<{AREA_CODE}/>", None, DEFAULT_QUANTITY),
        ("<SiteId>1</SiteId>", None, DEFAULT_QUANTITY),
        ("<UnknownOrderType/>", None, DEFAULT_QUANTITY),
        (
            f"{search(3)}<StateSearchAndOrderType><Quantity>4</Quantity></StateSearchAndOrderType>",
            None,
            7,
        ),
        (existing("TelephoneNumber", "1", " 1\n", "2", ""), None, 2),
        (existing("ReservationId", "a", "b"), None, 2),
        (f"<{EXISTING}><Quantity>9</Quantity></{EXISTING}>", 9, 9),
        (f"<{EXISTING}/>", None, 0),
    ],
)
def test_an_order_costs_as_many_numbers_as_it_may_be_given(
    inside: str, quantity: int | None, cost: int
) -> None:
    order = read_order(f"<Order>{inside}</Order>".encode(), None)
    assert (order.quantity, order.cost) == (quantity, cost)


@pytest.mark.parametrize(
    "inside",
    [
        "<Quantity>1</Quantity>",
        f"<Quantity>1</Quantity><{AREA_CODE}/>",
        f"<{AREA_CODE}><Extra><Quantity>1</Quantity></Extra></{AREA_CODE}>",
        f"<UnknownOrderType><Quantity>1</Quantity></UnknownOrderType><{AREA_CODE}/>",
    ],
)
def test_a_quantity_that_may_count_or_not_is_refused(inside: str) -> None:
    order = read_order(f"<Order>{inside}</Order>".encode(), None)
    with pytest.raises(ViolatedError, match="Quantity stands outside the order type") as refusal:
        _ = order.cost
    [violation] = refusal.value.violations
    assert (violation.rule, violation.code) == ("cost", "94002")


def test_a_rule_cannot_double_what_counts_once() -> None:
    order = read_order(
        b"<Order><SiteId>1</SiteId><NpanxxSearchAndOrderType><EnableLca/><Extra/>"
        b"</NpanxxSearchAndOrderType></Order>",
        None,
    )
    enable_lca, extra = order.types[0]
    for parent, name in [(order.root, "SiteId"), (order.types[0], "EnableLCA")]:
        with pytest.raises(ValueError, match=f"There is a {name} in /Order.* already"):
            order.add(parent, name, "1")
    with pytest.raises(ValueError, match="There is a EnableLCA in"):
        order.rename(extra, "EnableLCA")
    assert not order.changed
    order.rename(enable_lca, "EnableLCA")
    order.add(order.root, "TelephoneNumber", "1")
    order.add(order.root, "TelephoneNumber", "1")
    assert order.edited == 3


def test_an_edit_is_noted_under_the_rule_in_force_and_an_equal_value_is_none() -> None:
    order = read_order(b"<Order><SiteId> 1</SiteId><Name/></Order>", None)
    order.rule = "one"
    site_id, name = order.root
    order.set_text(site_id, "1")
    order.set_text(site_id, "1")
    order.set_text(name, "")
    order.rule = "two"
    order.add(order.root, "PartialAllowed", "true")
    order.set_text(site_id, "")
    assert order.edits == (
        Edit("one", "/Order/SiteId", " 1", "1"),
        Edit("two", "/Order/PartialAllowed", None, "true"),
        Edit("two", "/Order/SiteId", "1", ""),
    )
    assert repr(order) == "<Order None, 3 edits>"
    assert etree.tostring(order.root) == (
        b"<Order><SiteId/><Name/><PartialAllowed>true</PartialAllowed></Order>"
    )


@pytest.mark.parametrize("value", ["\0", "\x1b", "\ufffe", "\ud800"])
def test_what_xml_cannot_hold_changes_nothing(value: str) -> None:
    order = read_order(CLIENTS["go"], None)
    with pytest.raises(ValueError, match=r"XML compatible|surrogates"):
        order.add(order.root, "Extra", value)
    with pytest.raises(ValueError, match=r"XML compatible|surrogates"):
        order.set_text(order.root[0], value)
    with pytest.raises(ValueError, match="has children"):
        order.set_text(order.root, "text")
    assert not order.changed
    assert etree.tostring(order.root) == CLIENTS["go"].replace(
        b"<Name></Name><CustomerOrderId></CustomerOrderId>", b"<Name/><CustomerOrderId/>"
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<Order><A/></Order>", b"<Order><A/><B>1</B></Order>"),
        (b"<Order/>", b"<Order><B>1</B></Order>"),
        (b"<Order>\n  <A/>\n</Order>", b"<Order>\n  <A/>\n  <B>1</B>\n</Order>"),
        (
            b"<Order>\n\t<A/>\n\n\t<C/>\n</Order>",
            b"<Order>\n\t<A/>\n\n\t<C/>\n\n\t<B>1</B>\n</Order>",
        ),
        (b"<Order>\r\n  <A/>\r\n</Order>", b"<Order>\n  <A/>\n  <B>1</B>\n</Order>"),
    ],
)
def test_an_addition_is_indented_as_its_siblings_are(before: bytes, after: bytes) -> None:
    order = read_order(before, None)
    order.add(order.root, "B", "1")
    assert order.serialize() == b"<?xml version='1.0' encoding='UTF-8'?>\n" + after


def test_an_order_is_written_as_utf_8_with_all_that_it_came_with() -> None:
    declaration = '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?>\r\n'
    body = f"{declaration}<!-- a --><Order a='1'>\r\n<!-- b --><Name>Café &#x20AC;</Name></Order>"
    order = read_order(body.encode("latin-1"), None)
    assert order.serialize().decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n<!-- a -->"
        '<Order a="1">\n<!-- b --><Name>Café €</Name></Order>'
    )


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"<Order><A/><B>1</B></Order>", b"<Order><A/></Order>"),
        (b"<Order><B>1</B></Order>", b"<Order/>"),
        (b"<Order>\n  <B>1</B>\n</Order>", b"<Order/>"),
        (b"<Order>\n  <A/>\n  <B>1</B>\n</Order>", b"<Order>\n  <A/>\n</Order>"),
        (b"<Order>\n  <B>1</B>\n  <A/>\n</Order>", b"<Order>\n  <A/>\n</Order>"),
        (b"<Order>\n  <!-- c -->\n  <B>1</B>\n</Order>", b"<Order>\n  <!-- c -->\n</Order>"),
    ],
)
def test_a_removal_takes_its_indentation_along(before: bytes, after: bytes) -> None:
    order = read_order(before, None)
    [element] = order.elements("B")
    order.remove(element)
    assert etree.tostring(order.root) == after
    assert [(edit.before, edit.after) for edit in order.edits] == [("1", None)]


def test_a_removed_branch_is_noted_as_it_stood() -> None:
    order = read_order(b"<Order><Extra a='1'><B>1</B></Extra>\n</Order>", None)
    order.remove(order.root[0])
    assert order.edits == (Edit("", "/Order/Extra", '<Extra a="1"><B>1</B></Extra>', None),)
    with pytest.raises(ValueError, match="root"):
        order.remove(order.root)


def test_what_was_edited_before_it_was_removed_keeps_its_path() -> None:
    order = read_order(b"<Order><Name> x </Name><Extra><B> 1 </B></Extra></Order>", None)
    name, extra = order.root
    order.set_text(name, "x")
    order.set_text(extra[0], "1")
    order.remove(extra)
    order.remove(name)
    assert [(edit.xpath, edit.after) for edit in order.edits] == [
        ("/Order/Name", "x"),
        ("/Order/Extra/B", "1"),
        ("/Order/Extra", None),
        ("/Order/Name", None),
    ]


def test_no_rule_makes_an_order_that_would_not_be_read() -> None:
    order = read_order(b"<Order><Extra/></Order>", None)
    with pytest.raises(ValueError, match="The element quantity is written Quantity"):
        order.add(order.root, "quantity", "1")
    with pytest.raises(ValueError, match="The element siteid is written SiteId"):
        order.rename(order.root[0], "siteid")
    with pytest.raises(ValueError, match="The root cannot be renamed"):
        order.rename(order.root, "Bogus")
    assert not order.changed


def test_only_what_claims_to_be_utf_8_is_read_as_the_fallback() -> None:
    body = "<?xml version='1.0' encoding='us-ascii'?><Order><Name>Café</Name></Order>".encode()
    with pytest.raises(MalformedError):
        read_order(body, None, "iso-8859-1")


def test_nothing_is_added_to_an_element_that_holds_a_value() -> None:
    order = read_order(b"<Order><SiteId/><Extra>1</Extra></Order>", None)
    for parent in order.root:
        with pytest.raises(ValueError, match="it can hold no element"):
            order.add(parent, "B", "1")
    assert not order.changed


def test_a_new_name_is_noted_as_a_tag_and_earlier_edits_move_along() -> None:
    order = read_order(
        b"<Order><LATASearchAndOrderType><LATA> 1</LATA></LATASearchAndOrderType></Order>", None
    )
    [lata] = order.fields("Lata")
    order.set_text(lata, "1")
    order.rename(lata, "Lata")
    order.rename(lata, "Lata")
    place = "/Order/LATASearchAndOrderType/Lata"
    assert order.edits == (Edit("", place, " 1", "1"), Edit("", place, "<LATA>", "<Lata>"))
    assert [element.tag for element in order.fields("Lata")] == ["Lata"]
    with pytest.raises(ValueError, match="Invalid tag name"):
        order.rename(lata, "no name")


def test_fields_are_those_of_the_order_and_of_its_type_and_no_deeper() -> None:
    order = read_order(
        b"<Order><!-- c --><SiteId>1</SiteId><Extra><SiteId>2</SiteId></Extra>"
        b"<NpanxxSearchAndOrderType><EnableLca>true</EnableLca><Extra><EnableLCA/></Extra>"
        b"</NpanxxSearchAndOrderType></Order>",
        None,
    )

    def found(name: str) -> list[str]:
        return [order.xpath(element) for element in order.fields(name)]

    assert found("SiteId") == ["/Order/SiteId"]
    assert found("EnableLCA") == ["/Order/NpanxxSearchAndOrderType/EnableLca"]
    assert found("NPANXXSearchAndOrderType") == ["/Order/NpanxxSearchAndOrderType"]
    assert found("PeerId") == []
    order.add(order.types[0], "Quantity", "1")
    order.add(order.root, "StateSearchAndOrderType", "")
    order.rename(next(order.elements("EnableLCA")), "Other")
    order.remove(next(order.elements("SiteId")))
    assert found("Quantity") == ["/Order/NpanxxSearchAndOrderType/Quantity"]
    assert (found("EnableLCA"), found("SiteId")) == ([], [])
    assert [element.tag for element in order.types] == [
        "NpanxxSearchAndOrderType",
        "StateSearchAndOrderType",
    ]


def test_a_value_of_another_format_is_told_with_what_came_and_what_is_allowed() -> None:
    order = read_order(b"<Order>\n<PeerId> 7 </PeerId><SiteId> 1\n2 </SiteId><Name/></Order>", None)
    order.rule = "digits"

    def found(name: str) -> list[Violation]:
        return list(order.misshapen({name: Format("[0-9]+", "5016", "digits")}))

    assert (found("PeerId"), found("AreaCode")) == ([], [])
    assert found("SiteId") == [
        Violation("digits", "5016", "/Order/SiteId", 2, "SiteId is '1\\n2'; send digits.")
    ]
    assert [violation.message for violation in found("Name")] == ["Name is empty; send digits."]
    order.set_text(order.root[0], "x" * 100)
    assert [violation.message for violation in found("PeerId")] == [
        f"PeerId is '{'x' * 60}…'; send digits."
    ]


@pytest.mark.parametrize("declaration", ["", "<?xml version='1.0' encoding='UTF-8'?>"])
def test_bytes_that_are_not_utf_8_can_be_read_as_the_fallback_and_leave_as_utf_8(
    declaration: str,
) -> None:
    body = f"{declaration}<Order><Name>Café</Name></Order>".encode("latin-1")
    with pytest.raises(MalformedError):
        read_order(body, None)
    order = read_order(body, None, "iso-8859-1")
    assert order.edits == (Edit("fallback-charset", "/Order", "utf-8", "iso-8859-1"),)
    assert order.serialize().decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n<Order><Name>Café</Name></Order>"
    )
    assert not read_order(body.decode("latin-1").encode(), None, "iso-8859-1").changed
    with pytest.raises(MalformedError):
        read_order(codecs.BOM_UTF8 + body, None, "iso-8859-1")


def test_paths_are_those_of_lxml_also_after_an_addition() -> None:
    order = read_order(
        b"<Order><A/><B><C/><C/><!-- c --><D/></B><A/><B><C/></B><E><F/></E></Order>", None
    )
    tree = order.root.getroottree()

    def lxmls() -> dict[str, int]:
        elements = order.root.iter(etree.Element)
        return {tree.getpath(element): index for index, element in enumerate(elements)}

    assert order.positions() == lxmls()
    order.add(order.root, "A", "")
    order.add(order.root[4], "F", "")
    assert order.positions() == lxmls()


def test_a_violation_says_where_it_is() -> None:
    order = read_order(b"<Order>\n<SiteId>x</SiteId></Order>", None)
    order.rule = "site-id"
    assert order.violation(order.root[0], "5016", "Wrong.") == Violation(
        "site-id", "5016", "/Order/SiteId", 2, "Wrong.", "enforce"
    )
    added = order.add(order.root, "PeerId", "y")
    assert order.violation(added, "5023", "Wrong.").line == 0


def test_ids_that_are_empty_are_none() -> None:
    order = read_order(b"<Order><SiteId> </SiteId><CustomerOrderId/></Order>", None)
    assert (order.site_id, order.customer_order_id) == (None, None)
    order = read_order(b"<Order><CustomerOrderId>\n a 1 </CustomerOrderId></Order>", None)
    assert (order.site_id, order.customer_order_id) == (None, "a 1")


@pytest.mark.parametrize(
    "body",
    [
        b"<Order>hello</Order>",
        b"<Order>" + b"x" * 70_000 + b"</Order>",
        b"<Order><NPANXXSearchAndOrderType>junk</NPANXXSearchAndOrderType></Order>",
        b"<Order><TnAttributes>junk</TnAttributes></Order>",
    ],
)
def test_text_where_only_elements_belong_is_refused(body: bytes) -> None:
    with pytest.raises(ForbiddenXmlError, match="holds text outside its elements"):
        read_order(body, None)
