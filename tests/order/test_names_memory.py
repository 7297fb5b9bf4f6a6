"""What orders leave behind: libxml2 would keep their words for as long as the thread lives.

As a program it reads each flood in a process of its own, and tells what that grew by.
"""

import json
import os
import re
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import pytest

from ordertape.answers import render
from ordertape.errors import MalformedError, RefusedError
from ordertape.order import SPELLINGS, read_order
from ordertape.order.parsing import is_familiar

FED = 4 << 20
"""How many bytes of new words make a flood."""

DECLARED = (
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"',
    'xmlns:xsd="http://www.w3.org/2001/XMLSchema"',
)


def words(number: int, count: int, length: int) -> list[str]:
    """Words that no other body of the flood holds."""
    return [f"w{number}x{at}".ljust(length, "x") for at in range(count)]


def each(form: str, count: int = 150, length: int = 120) -> Callable[[int], str]:
    """An order with `form` for every word."""
    return lambda number: "".join(
        ("<Order>", *(form.format(word) for word in words(number, count, length)), "</Order>")
    )


def blank_values(count: int) -> Callable[[int], str]:
    """An order for so many telephone numbers that are blanks, in another sequence each."""
    blanks = str.maketrans("01", " \n")

    def order(number: int) -> str:
        written = (f"{value:050b}" for value in range(number * count, (number + 1) * count))
        values = "".join(f"<TelephoneNumber>{value}</TelephoneNumber>" for value in written)
        return f"<Order>{values.translate(blanks)}</Order>"

    return order


FLOODS: Mapping[str, Callable[[int], str]] = {
    "elements": each("<{}/>"),
    "elements that no limit admits": each("<{}/>", 21, 49_000),
    "attributes": each('<a {}="1"/>'),
    "attributes that no limit admits": each('<a {}="1"/>', 21, 49_000),
    "attributes without a value": each("<SiteId {}></SiteId>"),
    "ends of elements": lambda number: (
        "<Order>" + "<TelephoneNumber>" * 150 + each("</{}>")(number)
    ),
    "entities": each("&{};"),
    "instructions": each("<?{}?>"),
    "namespaces": each('<a xmlns:b="{}"/>'),
    "a few blanks": blank_values(80),
    "many blanks": blank_values(2000),
}


def resident() -> int:
    """What is resident of this process, in bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path("/proc/self/status").read_text(encoding="ascii"))
    assert found is not None
    return int(found[1]) * 1024


def swallow(body: bytes) -> None:
    """Read an order, change it, and refuse it with an echo."""
    try:
        order = read_order(body, None)
    except RefusedError:
        return
    order.add(order.root, "SiteId", "743")
    order.serialize()
    render(MalformedError("No."), exchange_id="1", order=order, xml=True, accept=None)


def bodies(flood: str, begin: int) -> Iterator[bytes]:
    number = begin
    while True:
        yield FLOODS[flood](number).encode()
        number += 1


def measured(flood: str) -> tuple[float, str, int]:
    """The growth by a flood as a part of its size, a word that is read after it, and threads."""
    for body in islice(bodies(flood, 0), 5):
        swallow(body)
    before, fed = resident(), 0
    for body in bodies(flood, 5):
        swallow(body)
        fed += len(body)
        if fed >= FED:
            break
    grown = resident() - before
    read = read_order(b"<Order><NeverSeen new='1'/></Order>", None).root[0].tag
    return grown / FED, str(read), threading.active_count()


def main() -> None:
    for flood in FLOODS:
        if os.fork() == 0:  # as good as a new process, and at once
            print(json.dumps([flood, measured(flood)]), flush=True)  # noqa: T201 - for the test
            os._exit(0)
        os.wait()


@pytest.fixture(scope="module")
def floods() -> dict[str, tuple[float, str, int]]:
    child = subprocess.run(
        [sys.executable, __file__], capture_output=True, text=True, timeout=120, check=False
    )
    assert child.stderr == ""
    return dict(map(json.loads, child.stdout.splitlines()))


@pytest.mark.parametrize("flood", FLOODS)
def test_a_flood_of_new_words_leaves_nothing_behind(
    floods: Mapping[str, tuple[float, str, int]], flood: str
) -> None:
    grown, read, threads = floods[flood]
    assert (read, threads) == ("NeverSeen", 1)
    assert grown < 0.5


def test_a_content_type_is_not_remembered_at_any_length() -> None:
    tracemalloc.start()
    try:
        for number in range(64):
            read_order(b"<Order/>", b"text/xml; n=%d" % number + b"x" * 60_000)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 1 << 20


def edited(body: bytes) -> bytes:
    """Of an order: a value set, an element added, one renamed and one removed."""
    order = read_order(body, None)
    zip_code, odd, name = order.root
    order.set_text(zip_code, "90210")
    order.rename(odd, "Oddest")
    order.remove(name)
    order.add(odd, "Added", "1")
    return order.serialize()


def test_an_order_with_names_of_its_own_is_edited_in_any_thread() -> None:
    body = b"<Order><Zip>1</Zip><Odd><Even a='1'/></Odd><Name>x</Name></Order>"
    with ThreadPoolExecutor(4) as threads:
        results = {edited(body), *threads.map(edited, [body] * 200)}
    expected = (
        b"<?xml version='1.0' encoding='UTF-8'?>\n"
        b'<Order><Zip>90210</Zip><Oddest><Even a="1"/><Added>1</Added></Oddest></Order>'
    )
    assert results == {expected}


BREAKS, TABS = " \n" * 8, "\t" * 16
FAMILIAR = (
    "",
    "text",
    "<Order/>",
    " \n<Order><SiteId>743</SiteId>\n    <Name />\n</Order>\n",
    *(f"<Order><{spelling}>1</{spelling}></Order>" for spelling in SPELLINGS),
    f"<Order {' '.join(DECLARED)}></Order>",
    f"<Order {' '.join(reversed(DECLARED))}></Order>",
    f"<Order {DECLARED[0]}></Order>",
    "<Order><Name>a &lt;&amp;&gt; &quot;b&apos; &#38;&#x26; = c > d</Name></Order>",
    "<Order><SiteId></Name>",
    f"<Order>{' ' * 15}</Order>",
)
STRANGE = (
    "<Orders/>",
    "<Orde/>",
    "<order/>",
    "<Order></Orders>",
    "<Order a/>",
    "<Order\u00a0/>",
    "<o:Order/>",
    "<Order:o/>",
    "<Order><!-- --></Order>",
    "<Order><![CDATA[a]]></Order>",
    "<?x?><Order/>",
    "<Order>&n;</Order>",
    "<Order>&amp;&ampere;</Order>",
    "<Order>&amp</Order>",
    f"<Order {DECLARED[0].replace('w3.org', 'w3-org')}></Order>",
    f"<Order {DECLARED[0]} a='1'></Order>",
    f"<Order>{' ' * 16}</Order>",
    f"<Order>{BREAKS}<SiteId/></Order>",
    f"<Order><SiteId />{TABS}</Order>",
    f"<Order>{'a' * 8192}</Order>",
)


@pytest.mark.parametrize("text", FAMILIAR)
def test_nothing_is_new_in_what_the_specification_names(text: str) -> None:
    assert is_familiar(text)


@pytest.mark.parametrize("text", STRANGE)
def test_whatever_else_there_is_may_be_new(text: str) -> None:
    assert not is_familiar(text)


if __name__ == "__main__":
    main()
