"""The documentation's orders and those of every client, under all the built-in rules."""

from pathlib import Path

import pytest

from documented import PLACEHOLDERS, SELF_CONTRADICTING, VALID
from gateways import ORDER, ask, gateway, order_request
from order_shapes import CLIENTS
from ordertape.build import rule_set
from ordertape.config import Settings
from ordertape.model import Edit, State
from ordertape.order import ORDER_TYPES, read_order
from ordertape.testing import Respond, Scripted, order_created

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
RULES = rule_set(Settings.model_validate({"sandbox": True}))

WARNINGS: dict[str, set[tuple[str, str]]] = {
    "python": {("spelling", "94002")},
    "node": set(),
    "ruby": {("spelling", "94002")},
    "php": set(),
    "c#": {("search-criterion", "5002")},
    "java-iris": {("spelling", "94002")},
    "numbers-java-sdk": {("spelling", "94002")},
    "go": set(),
    "a template in a shell script": set(),
}

JAVA_IRIS = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n<Order>\n'
    b"    <SiteId>743</SiteId>\n    <Name>Caf\xe9</Name>\n    <StateSearchAndOrderType>\n"
    b"        <State>QC</State>\n        <Quantity>2</Quantity>\n"
    b"    </StateSearchAndOrderType>\n    <PartialAllowed>true</PartialAllowed>\n</Order>\n"
)
"""ISO-8859-1 bytes under a declaration of UTF-8; nothing else is wrong with it."""


def test_the_documentation_has_a_payload_of_every_type() -> None:
    assert {read_order(body, None).order_type for body in VALID.values()} == set(ORDER_TYPES)


@pytest.mark.parametrize("body", VALID.values(), ids=VALID)
def test_no_built_in_rule_has_anything_to_say_of_a_documented_payload(body: bytes) -> None:
    assert RULES.apply(read_order(body, None), None).violations == ()


async def test_every_documented_payload_is_taken_by_gateway_and_sandbox(tmp_path: Path) -> None:
    async with gateway(tmp_path, sandbox=True) as ours:
        statuses = {
            name: (await ask(ours.port, order_request(body))).status for name, body in VALID.items()
        }
        states = [full.row.state for full in ours.recorded()]
    assert statuses == dict.fromkeys(VALID, 201)
    assert states == [State.COMPLETED] * len(VALID)


def refused(body: bytes) -> list[tuple[str, str, str]]:
    """(code, path, sentence) of everything that is wrong."""
    violations = RULES.apply(read_order(body, None), None).violations
    assert {violation.severity for violation in violations} == {"enforce"}
    return [(found.code, found.xpath, found.message) for found in violations]


def test_the_combined_example_is_refused_for_what_the_documentation_says_beside_it() -> None:
    at = "/Order/CombinedSearchAndOrderType"
    assert refused(SELF_CONTRADICTING) == [
        ("5002", f"{at}/NpaNxx", "NpaNxx is '919439'; send either AreaCode or NpaNxx."),
        ("5002", f"{at}/NpaNxxX", "NpaNxxX is '9194391'; send either AreaCode or NpaNxxX."),
    ]


def test_placeholders_are_refused_for_being_no_uuid() -> None:
    at = "/Order/ExistingTelephoneNumberOrderType/ReservationIdList"
    sentence = "ReservationId is '[GUID]'; send the UUID that the reservation got."
    assert refused(PLACEHOLDERS) == [
        ("1008", f"{at}/ReservationId[1]", sentence),
        ("1008", f"{at}/ReservationId[2]", sentence),
    ]


async def test_orders_in_the_shape_of_every_client_pass_with_the_expected_warnings(
    tmp_path: Path,
) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as ours,
    ):
        statuses = {
            name: (await ask(ours.port, order_request(body))).status
            for name, body in CLIENTS.items()
        }
        recorded = ours.recorded()
    assert statuses == dict.fromkeys(CLIENTS, 201)
    warned = {
        name: {(found.rule, found.code) for found in full.row.violations}
        for name, full in zip(CLIENTS, recorded, strict=True)
    }
    assert warned == WARNINGS
    severities = {found.severity for full in recorded for found in full.row.violations}
    assert severities == {"warn"}


async def test_latin_1_under_a_declaration_of_utf_8_is_refused_by_default(tmp_path: Path) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as ours,
    ):
        reply = await ask(ours.port, order_request(JAVA_IRIS))
        [full] = ours.recorded()
        attempts = list(service.attempts)
    assert (reply.status, reply.code, attempts) == (400, "94000", [])
    assert full.row.reason == (
        "The byte 0xE9 in line 4 is not utf-8; encode the order as it says it is."
    )


async def test_under_the_fallback_it_is_accepted_and_leaves_as_the_utf_8_that_it_claims(
    tmp_path: Path,
) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url, orders={"fallback_charset": "iso-8859-1"}) as ours,
    ):
        statuses = [
            (await ask(ours.port, order_request(body))).status for body in (JAVA_IRIS, ORDER)
        ]
        [latin, plain] = ours.recorded()
        sent = [attempt.partition(b"\r\n\r\n")[2] for attempt in service.attempts]
    assert statuses == [201, 201]
    assert latin.messages["received"].body == JAVA_IRIS
    assert latin.messages["sent"].body == sent[0]
    declaration, _, order = sent[0].decode().partition("\n")
    assert declaration == "<?xml version='1.0' encoding='UTF-8'?>"
    assert order == JAVA_IRIS.decode("iso-8859-1").partition("\n")[2].rstrip()
    assert latin.row.edits == (Edit("fallback-charset", "/Order", "utf-8", "iso-8859-1"),)
    assert (plain.row.edits, sent[1]) == ((), ORDER)
