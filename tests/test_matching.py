"""What the options of matching make one, and what they keep apart."""

import pytest

from ordertape.canonical import is_current, match_key, matched_by
from ordertape.errors import StartUpError
from ordertape.matching import DEFAULT, Matching
from ordertape.model import Headers
from ordertape.order import read_order

XML = b"application/xml"
ORDER = b"<Order><CustomerOrderId>c-1</CustomerOrderId><SiteId a='1'>743</SiteId></Order>"


def key(
    body: bytes = ORDER,
    matching: Matching = DEFAULT,
    *,
    target: str = "/accounts/1/orders",
    authorized: bool = False,
    headers: Headers = Headers(),  # noqa: B008 - frozen
    is_order: bool = True,
) -> str:
    order = read_order(body, XML) if is_order else None
    return match_key(
        "POST", target, body, XML, authorized, order, matching=matching, headers=headers
    )


@pytest.mark.parametrize("is_order", [True, False])
@pytest.mark.parametrize(
    ("ignore", "same", "other"),
    [
        (
            "/Order/CustomerOrderId",
            [ORDER.replace(b"c-1", b"c-2"), ORDER.replace(b"c-1", b""), ORDER[:7] + ORDER[45:]],
            ORDER.replace(b"743", b"744"),
        ),
        ("//SiteId", [ORDER.replace(b"743", b"744")], ORDER.replace(b"c-1", b"c-2")),
        ("/Order/SiteId/text()", [ORDER.replace(b"743", b"744")], ORDER.replace(b"a=", b"b=")),
        (
            "/*/*[local-name()='SiteId']",
            [ORDER.replace(b"743", b"744")],
            ORDER.replace(b"c-1", b"c-2"),
        ),
        ("/Order", [b"<Order/>", ORDER.replace(b"c-1", b"c-2")], None),
    ],
)
def test_what_an_xpath_selects_does_not_count_in_an_order(
    ignore: str, same: list[bytes], other: bytes | None, *, is_order: bool
) -> None:
    matching = Matching(ignore=(ignore,))
    assert {key(body, matching, is_order=is_order) for body in same} == {
        key(ORDER, matching, is_order=is_order)
    }
    assert key(same[0], is_order=is_order) != key(ORDER, is_order=is_order)
    assert other is None or key(other, matching, is_order=is_order) != key(
        ORDER, matching, is_order=is_order
    )


def test_an_ignored_attribute_or_tail_leaves_the_rest_of_its_element() -> None:
    body = b"<A b='1' c='2'>x<B/>y</A>"
    attribute, tail = Matching(ignore=("/A/@b",)), Matching(ignore=("/A/text()[2]",))
    keys = {
        one: [
            key(body.replace(*change), one, is_order=False) == key(body, one, is_order=False)
            for change in ((b"'1'", b"'3'"), (b"'2'", b"'3'"), (b"y", b"z"), (b"x", b"z"))
        ]
        for one in (attribute, tail)
    }
    assert keys == {attribute: [True, False, False, False], tail: [False, False, True, False]}


def test_an_ignored_query_key_does_not_count_however_it_is_written() -> None:
    matching = Matching(ignore=("?page size",))
    base = key(target="/a?b=1", matching=matching)
    for target in ("/a?b=1&page+size=2", "/a?page%20size=3&b=1", "/a?page%20size&b=1"):
        assert key(target=target, matching=matching) == base
    assert key(target="/a?b=1&Page+size=2", matching=matching) != base
    assert key(target="/a?page+size=1", matching=matching) == key(target="/a", matching=matching)


def test_ignored_authorization_makes_credentials_count_for_nothing() -> None:
    matching = Matching(ignore=("authorization",))
    assert key(matching=matching, authorized=True) == key(matching=matching)
    assert key(authorized=True) != key()


def test_a_matched_header_must_have_the_recorded_value() -> None:
    matching = Matching(headers=("X-Client",))

    def with_lines(*lines: tuple[bytes, bytes]) -> str:
        return key(matching=matching, headers=Headers.of(lines))

    one = with_lines((b"x-client", b"a"), (b"X-Other", b"b"))
    assert one == with_lines((b"X-CLIENT", b" a "))
    others = [
        with_lines(),
        with_lines((b"X-Client", b"b")),
        with_lines((b"X-Client", b"a"), (b"X-Client", b"")),
        with_lines((b"X-Client", b"a"), (b"X-Client", b"a")),
    ]
    assert len({one, *others}) == 1 + len(others)


def test_the_order_of_an_orders_elements_counts_where_it_is_significant() -> None:
    other = b"<Order><SiteId a='1'>743</SiteId><CustomerOrderId>c-1</CustomerOrderId></Order>"
    significant = Matching(element_order="significant")
    assert key(other) == key(ORDER)
    assert key(other, significant) != key(ORDER, significant)
    assert key(ORDER.replace(b"><", b"> \n<"), significant) == key(ORDER, significant)


def test_keys_of_other_options_are_never_taken_for_those_of_the_default() -> None:
    several = [
        DEFAULT,
        Matching(ignore=("/Order/Name",)),
        Matching(ignore=("?Order/Name",)),
        Matching(ignore=("Authorization",)),
        Matching(headers=("a", "b")),
        Matching(headers=("ab",)),
        Matching(element_order="significant"),
    ]
    keys = [key(matching=matching, authorized=True) for matching in several]
    assert len(set(keys)) == len(several)
    for matching, made in zip(several, keys, strict=True):
        assert [is_current(made, other) for other in several] == [
            other is matching for other in several
        ]
        anonymous = key(matching=matching)
        assert matched_by(anonymous) == (anonymous,)
        assert matched_by(made) == ((made, anonymous) if matching.credentials else (made,))


def test_options_that_mean_the_same_make_the_same_keys() -> None:
    one = Matching(ignore=("?a", "/Order/Name", "AUTHORIZATION"), headers=("B", "a", "x"))
    other = Matching(
        ignore=("/Order/Name", "authorization", "?a", "?a", "X"), headers=("A", "b", "X")
    )
    assert one.digest != other.digest
    same = Matching(ignore=("authorization", "?a", "/Order/Name"), headers=("x", "a", "b", "b"))
    assert one.digest == same.digest
    assert Matching(ignore=("X-Trace",)).digest == DEFAULT.digest == ""


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"ignore": ("/Order/[",)}, "'/Order/[' is no XPath (invalid expression)."),
        ({"ignore": ("/p:Order",)}, "'/p:Order' is no XPath (undefined namespace prefix)."),
        (
            {"ignore": ("/Order = 1",)},
            "the XPath '/Order = 1' selects no place: its value is False",
        ),
        ({"ignore": ("?",)}, "'?' names no query key; write it behind the ?."),
        (
            {"ignore": ("Order/Name",)},
            "'Order/Name' is neither an XPath (/Order/Name), a query key",
        ),
        ({"headers": ("X Client",)}, "'X Client' is no header's name."),
    ],
)
def test_what_names_no_place_is_refused_at_once(
    options: dict[str, tuple[str, ...]], sentence: str
) -> None:
    with pytest.raises(StartUpError) as refused:
        Matching(**options)  # type: ignore[arg-type]
    assert str(refused.value).startswith(f"In the options of matching, {sentence}")


def test_a_function_that_a_tree_cannot_be_asked_for_selects_nothing() -> None:
    assert key(matching=Matching(ignore=("/Order/*[position() = last()]/nothing",)))
