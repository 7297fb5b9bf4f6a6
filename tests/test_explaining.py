"""How two requests differ, place by place, and what would make them one."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ordertape.canonical import matched_by
from ordertape.explaining import Comparison, Difference, Seen, features
from ordertape.matching import DEFAULT, Matching
from ordertape.model import Headers
from ordertape.order import Order, read_order, read_tree

XML = (b"Content-Type", b"application/xml")
JSON = (b"Content-Type", b"application/json")
AUTHORIZED = (b"Authorization", b"redacted")
ORDER = (
    "<Order><CustomerOrderId>c-1</CustomerOrderId><SiteId>743</SiteId>"
    "<ExistingTelephoneNumberOrderType><TelephoneNumberList><TelephoneNumber>1</TelephoneNumber>"
    "<TelephoneNumber>2</TelephoneNumber></TelephoneNumberList></ExistingTelephoneNumberOrderType>"
    "</Order>"
)
LIST = "/Order/ExistingTelephoneNumberOrderType/TelephoneNumberList"


def order(
    body: str = ORDER, *lines: tuple[bytes, bytes], target: str = "/accounts/1/orders"
) -> Seen:
    encoded = body.encode()
    return Seen("POST", target, Headers((XML, *lines)), encoded, read_order(encoded, XML[1]))


def other(
    body: str | bytes = "",
    line: tuple[bytes, bytes] = XML,
    target: str = "/a",
    method: str = "PUT",
) -> Seen:
    encoded = body.encode() if isinstance(body, str) else body
    return Seen(method, target, Headers((line,)), encoded, None)


def told(
    recorded: Seen, asked: Seen, matching: Matching = DEFAULT
) -> tuple[list[tuple[str, str | None, str | None]], str | None]:
    nearest = Comparison(recorded, asked, matching).nearest("it", 0, 1)
    return [(one.place, one.recorded, one.asked) for one in nearest.differences], nearest.option


@pytest.mark.parametrize(
    ("change", "differences", "option"),
    [
        (
            ("743", "744"),
            [("/Order/SiteId", "743", "744")],
            "--ignore /Order/SiteId",
        ),
        (
            ("<SiteId>743</SiteId>", ""),
            [("/Order/SiteId", "743", None)],
            "--ignore /Order/SiteId",
        ),
        (
            ("<SiteId>", "<Name>n</Name><SiteId>"),
            [("/Order/Name", None, "n")],
            "--ignore /Order/Name",
        ),
        (
            (">2<", ">3<"),
            [(f"{LIST}/TelephoneNumber[2]", "2", "3")],
            f"--ignore '{LIST}/TelephoneNumber[2]'",
        ),
        (
            ("<TelephoneNumber>1<", "<TelephoneNumber>0</TelephoneNumber><TelephoneNumber>1<"),
            [(f"{LIST}/TelephoneNumber[1]", None, "0")],
            f"--ignore {LIST}/TelephoneNumber",
        ),
        (
            ("<TelephoneNumber>1</TelephoneNumber>", ""),
            [(f"{LIST}/TelephoneNumber[1]", "1", None)],
            f"--ignore {LIST}/TelephoneNumber",
        ),
        (
            ("<SiteId>743", "<SiteId x='1'>743"),
            [("/Order/SiteId/@x", None, "1")],
            "--ignore /Order/SiteId/@x",
        ),
        (
            ("<TelephoneNumberList>", "<Other><A>1</A><B/></Other><TelephoneNumberList>"),
            [("/Order/ExistingTelephoneNumberOrderType/Other", None, "<Other> with 2 values")],
            "--ignore /Order/ExistingTelephoneNumberOrderType/Other",
        ),
    ],
)
def test_each_difference_of_two_orders_has_its_xpath_and_both_values(
    change: tuple[str, str], differences: list[tuple[str, str, str]], option: str
) -> None:
    assert told(order(), order(ORDER.replace(*change, 1))) == (differences, option)


def test_every_difference_counts_and_the_option_covers_all() -> None:
    asked = ORDER.replace("743", "744").replace("c-1", "c-2")
    differences, option = told(
        order(target="/accounts/1/orders?a=1"), order(asked, target="/accounts/1/orders?b=2")
    )
    assert differences == [
        ("?b", None, "2"),
        ("?a", "1", None),
        ("/Order/CustomerOrderId", "c-1", "c-2"),
        ("/Order/SiteId", "743", "744"),
    ]
    assert (
        option
        == "--ignore '?b' --ignore '?a' --ignore /Order/CustomerOrderId --ignore /Order/SiteId"
    )


def test_what_is_ignored_is_no_difference() -> None:
    asked = order(
        ORDER.replace("743", "744").replace("c-1", "c-2"), target="/accounts/1/orders?a=1"
    )
    matching = Matching(ignore=("/Order/SiteId", "?a"))
    assert told(order(), asked, matching) == (
        [("/Order/CustomerOrderId", "c-1", "c-2")],
        "--ignore /Order/CustomerOrderId",
    )


def test_an_order_that_stands_in_another_order_is_told_where_that_counts() -> None:
    asked = order(
        ORDER.replace("<SiteId>743</SiteId>", "").replace(
            "</Order>", "<SiteId>743</SiteId></Order>"
        )
    )
    names = "CustomerOrderId, SiteId, ExistingTelephoneNumberOrderType"
    assert told(order(), asked, Matching(element_order="significant")) == (
        [
            (
                "/Order (order of its elements)",
                names,
                "CustomerOrderId, ExistingTelephoneNumberOrderType, SiteId",
            )
        ],
        "--element-order any",
    )
    assert told(order(), asked) == ([], None)


def test_siblings_of_one_name_are_compared_with_their_equals_wherever_these_stand() -> None:
    swapped = order(ORDER.replace(">1<", ">x<").replace(">2<", ">1<").replace(">x<", ">2<"))
    assert told(order(), swapped) == ([], None)
    changed = order(ORDER.replace(">1<", ">3<").replace(">2<", ">1<"))
    assert told(order(), changed)[0] == [(f"{LIST}/TelephoneNumber[1]", "2", "3")]
    differences, option = told(order(), swapped, Matching(element_order="significant"))
    assert differences == [
        (f"{LIST}/TelephoneNumber[1]", "1", "2"),
        (f"{LIST}/TelephoneNumber[2]", "2", "1"),
    ]
    assert option is not None


def test_credentials_and_matched_headers_are_differences() -> None:
    matching = Matching(headers=("X-Client",))
    recorded = order(ORDER, AUTHORIZED, (b"X-Client", b"one"))
    assert told(recorded, order(ORDER, (b"X-Client", b"two")), matching) == (
        [("Authorization", "some", None), ("x-client", "one", "two")],
        "--ignore Authorization --ignore x-client",
    )
    assert told(order(), order(ORDER, AUTHORIZED)) == ([], None)


@pytest.mark.parametrize(
    ("recorded", "asked", "differences"),
    [
        (
            other("<A><B>1</B>x<C/></A>"),
            other("<A><B>2</B>y<C/></A>"),
            [("/A", "x", "y"), ("/A/B", "1", "2")],
        ),
        (
            other("<p:A xmlns:p='u'><p:B p:c='1'/></p:A>"),
            other("<A xmlns='u'><B xmlns:q='u' q:c='2'/></A>"),
            [
                (
                    "".join(
                        f"/{step}*[local-name()='{name}' and namespace-uri()='u']"
                        for step, name in (("", "A"), ("", "B"), ("@", "c"))
                    ),
                    "1",
                    "2",
                )
            ],
        ),
        (other("<A><B/></A>"), other("<C/>"), [("/C", "<A> with 1 value", "")]),
        (
            other('{"a": [1, {"b": "x"}, 3], "c": null}', JSON),
            other('{"a": [1, {"b": "y"}, 3], "d": 1.0}', JSON),
            [("$.a[1].b", '"x"', '"y"'), ("$.d", None, "1.0"), ("$.c", "null", None)],
        ),
        (
            other("[1, 2, 3]", JSON),
            other("[1, 3]", JSON),
            [("$[1]", "2", None)],
        ),
        (other("abc", (b"A", b"b")), other("abd", (b"A", b"b")), [("body", "abc", "abd")]),
        (other(b"\xff", (b"A", b"b")), other(b"", (b"A", b"b")), [("body", "1 bytes", None)]),
        (
            other("{}", JSON),
            other("<A/>"),
            [("body", "JSON", "XML")],
        ),
        (
            other(target="/a/b", method="GET"),
            other(target="/a/c"),
            [("method", "GET", "PUT"), ("path", "/a/b", "/a/c")],
        ),
    ],
)
def test_other_requests_are_compared_by_what_they_are(
    recorded: Seen, asked: Seen, differences: list[tuple[str, str | None, str | None]]
) -> None:
    assert told(recorded, asked)[0] == differences


def test_xml_that_cannot_be_read_is_said_to_be_that() -> None:
    [(place, recorded, asked)], option = told(other("<A/>"), other("<A>\n<B></A>"))
    assert (place, recorded, option) == ("body", "XML", None)
    assert asked is not None
    assert asked.startswith("XML that cannot be read: ")
    assert "line 2" in asked


def test_an_option_is_only_named_if_it_makes_the_two_one() -> None:
    recorded, asked = other("<A><B/><C/></A>"), other("<A><C/><B/></A>")
    assert told(recorded, asked) == ([("/A (order of its elements)", "B, C", "C, B")], None)
    assert told(other("{}", JSON), other("[]", JSON))[1] is None


def test_method_path_and_kind_come_before_the_number_of_fields() -> None:
    asked = order()
    same_path = order("<Order><A>1</A><B>2</B><C>3</C></Order>")
    distances = [
        Comparison(one, asked, DEFAULT).distance
        for one in (
            same_path,
            order(target="/accounts/2/orders"),
            Seen("PUT", asked.target, asked.headers, asked.body, asked.order),
        )
    ]
    assert distances == sorted(distances)
    assert [distance[:2] for distance in distances] == [(0, 0), (0, 1), (1, 0)]


def test_the_sentences_and_the_facts_tell_the_same() -> None:
    asked = order(
        "".join(["<Order>", *(f"<A{n}>{'x' * 200}</A{n}>" for n in range(12)), "</Order>"])
    )
    nearest = Comparison(order("<Order/>"), asked, DEFAULT).nearest(
        "POST /a (exchange 1)", 2, 2, 7, 9
    )
    long = "x" * 120 + "…"
    assert nearest.sentences() == (
        "The nearest recording is POST /a (exchange 1), recorded 2 times, 2 of 2 used.",
        *(f"/Order/A{n}: recorded nothing, asked '{long}'." for n in range(10)),
        "2 more places differ.",
        "With " + " ".join(f"--ignore /Order/A{n}" for n in range(12)) + " the two would match.",
        "7 recordings have not been looked at yet; ask again.",
        "9 more recordings of such a path are never looked at.",
    )
    assert nearest.differences[0] == Difference("/Order/A0", None, long)
    assert nearest.facts() == {
        "recording": "POST /a (exchange 1)",
        "used": 2,
        "recorded": 2,
        "differences": [
            {"place": f"/Order/A{n}", "recorded": None, "asked": long} for n in range(10)
        ],
        "more": 2,
        "option": " ".join(f"--ignore /Order/A{n}" for n in range(12)),
        "unread": 7,
        "beyond": 9,
    }


names = st.sampled_from("ABCDE")
leaves = st.dictionaries(names, st.lists(st.sampled_from(["1", "2", "3"]), max_size=3), max_size=4)


def written(fields: dict[str, list[str]]) -> str:
    inner = "".join(
        f"<{name}>{value}</{name}>" for name, values in fields.items() for value in values
    )
    return f"<Order><SiteId>1</SiteId>{inner}</Order>"


@settings(deadline=None)
@given(leaves, leaves, st.sampled_from(["any", "significant"]))
def test_there_are_differences_exactly_where_the_keys_differ(
    one: dict[str, list[str]], another: dict[str, list[str]], element_order: str
) -> None:
    matching = Matching(element_order=element_order)  # type: ignore[arg-type]
    recorded, asked = (
        Seen("POST", "/a", Headers((XML,)), written(fields).encode(), _wild(written(fields)))
        for fields in (one, another)
    )
    compared = Comparison(recorded, asked, matching)
    same = recorded.key(matching) in matched_by(asked.key(matching))
    nearest = compared.nearest("it", 0, 1)
    assert (nearest.differences == ()) is same
    assert same or nearest.option is not None


@settings(deadline=None)
@given(leaves, names, st.sampled_from(["7", None]))
def test_what_differs_in_one_leaf_has_a_digest_of_the_near_ones_in_common(
    fields: dict[str, list[str]], name: str, value: str | None
) -> None:
    before = fields.get(name, [])
    after = [*before[:-1], *([value] if value else [])] if before else [value or "7"]
    found = [
        features(
            Seen("POST", "/a", Headers((XML,)), written(each).encode(), _wild(written(each))),
            DEFAULT,
        )
        for each in (fields, {**fields, name: after})
    ]
    assert set(found[0].near) & set(found[1].near)


def _wild(body: str) -> Order:
    return Order(read_tree(body.encode(), XML[1]))
