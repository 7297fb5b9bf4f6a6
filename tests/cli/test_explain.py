"""`ordertape explain`: the match of one request, dry."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from ordertape.cassette import Interaction, dump
from ordertape.model import Headers
from replayed import order

Asked = Callable[..., tuple[int, str, str]]
Explained = Callable[..., tuple[int, list[str]]]

XML = Headers(((b"Content-Type", b"application/xml"), (b"Authorization", b"Basic dTpw")))
URL = "https://service.example/accounts/1/orders"


def interaction(quantity: int, method: str = "POST", url: str = URL) -> Interaction:
    body = b"" if method == "GET" else order(f"<Quantity>{quantity}</Quantity>")
    return Interaction(method, url, XML, body, 201, b"Created", Headers(), b"<OrderResponse/>")


@pytest.fixture
def explained(tmp_path: Path, here: Asked) -> Explained:
    """What is said of an order of so many numbers, by a cassette with two orders and a GET."""
    tape = [interaction(1), interaction(2), interaction(1), interaction(0, "GET", f"{URL}?page=1")]
    (tmp_path / "tape.yaml").write_bytes(dump(tape, "vcr"))

    def run(body: bytes | None, *options: str) -> tuple[int, list[str]]:
        if body is not None:
            (tmp_path / "order.xml").write_bytes(body)
        path = () if "--path" in options else ("--path", "/accounts/1/orders")
        file = "order.xml" if body is not None else "/dev/null"
        code, printed, errors = here("explain", file, "tape.yaml", *path, *options, cwd=tmp_path)
        return code, [*printed.splitlines(), *errors.splitlines()]

    return run


def test_a_match_names_its_recording_and_what_it_answers(explained: Explained) -> None:
    again = order("<Quantity> 1 </Quantity>")
    by = "It is answered with 201, by interaction"
    assert explained(again) == (0, [f"{by} 1 of tape.yaml, the first of 2."])
    assert explained(order()) == (0, [f"{by} 2 of tape.yaml, the only one."])
    get = ("--method", "GET", "--path", "/accounts/1/orders?page=1")
    assert explained(None, *get) == (0, [f"{by} 4 of tape.yaml, the only one."])
    ignored = explained(order("<Quantity>7</Quantity>"), "--ignore", "//Quantity")
    assert ignored == (0, [f"{by} 1 of tape.yaml, the first of 3."])


def test_a_miss_is_explained(explained: Explained) -> None:
    code, lines = explained(order("<Quantity>3</Quantity>"), "--anonymous")
    reason, nearest, *differences = lines
    assert code == 1
    assert reason.startswith("There is no recording of POST /accounts/1/orders with this query,")
    assert nearest.startswith("  The nearest recording is POST /accounts/1/orders (interaction ")
    assert differences[0] == "  Authorization: recorded 'some', asked nothing."
    assert differences[1].startswith("  /Order/NPANXXSearchAndOrderType/Quantity: recorded '")
    assert differences[2].startswith("  With --ignore Authorization --ignore /Order/NPANXX")


def test_an_order_that_the_rules_refuse_is_never_looked_for(explained: Explained) -> None:
    code, lines = explained(b"<Order>", "--json")
    [told] = map(json.loads, lines)
    assert (code, told["matched"], told["code"]) == (1, False, "94000")
    assert "line 1" in told["reason"]


def test_json_has_the_same_for_programs(explained: Explained) -> None:
    code, [line] = explained(order(), "--json")
    assert (code, json.loads(line)) == (
        0,
        {"matched": True, "recording": "interaction 2 of tape.yaml", "recorded": 1, "status": 201},
    )
    code, [line] = explained(
        None, "--json", "--method", "GET", "--path", "/accounts/1/orders?page=2"
    )
    told = json.loads(line)
    assert (code, told["matched"], told["code"]) == (1, False, "94090")
    assert told["nearest"]["differences"] == [{"place": "?page", "recorded": "1", "asked": "2"}]
    assert told["nearest"]["option"] == "--ignore '?page'"
    assert told["explanation"][-1] == "With --ignore '?page' the two would match."


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--path", "accounts/1/orders"), "--path: it does not begin with /."),
        (("--method", "post it"), "--method: it is no method such as POST."),
        (("--header", "X-Client"), "'X-Client' is no header such as 'X-Client: tests'."),
        (("--ignore", "/Order/["), "'/Order/[' is no XPath (invalid expression)."),
        (("--match-header", "X Y"), "'X Y' is no header's name."),
    ],
)
def test_a_wrong_option_is_one_sentence(
    explained: Explained, options: tuple[str, ...], sentence: str
) -> None:
    code, [line] = explained(order(), *options)
    assert (code, sentence in line) == (2, True), line


def test_the_configuration_says_what_matches_where_no_option_does(
    tmp_path: Path, explained: Explained
) -> None:
    config = tmp_path / "ordertape.toml"
    config.write_text("[matching]\nignore = ['//Quantity']\n", encoding="utf-8")
    assert explained(order("<Quantity>9</Quantity>"))[0] == 0
    assert explained(order("<Quantity>9</Quantity>"), "--ignore", "//SiteId")[0] == 1
    config.write_text("[matching]\nignore = ['/Order/[']\nheaders = ['a b']\n", encoding="utf-8")
    code, [line] = explained(order())
    assert code == 2
    assert "ordertape.toml:2:" in line
    assert "is no XPath" in line
