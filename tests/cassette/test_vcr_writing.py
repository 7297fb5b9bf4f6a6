"""What is written as vcrpy's cassettes, and that it comes back byte for byte."""

import gzip
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from vcr.serialize import deserialize
from vcr.serializers import jsonserializer, yamlserializer

from interactions import ANSWER, BODIES, any_interactions, interaction, lines
from ordertape.cassette import CassetteError, Interaction, dump, load, vcr

HERE = Path("cassette.yaml")

WRITTEN = """\
interactions:
- request:
    body: |
      <?xml version="1.0"?>
      <Order>
        <SiteId>743</SiteId>
      </Order>
    headers:
      Accept:
      - '*/*'
      Content-Type:
      - application/xml
    method: POST
    uri: http://numbers.test/accounts/9900012/orders
  response:
    body:
      string: |
        <?xml version="1.0"?>
        <OrderResponse>
          <Order>é</Order>
        </OrderResponse>
    headers:
      Content-Type:
      - application/xml
      Location:
      - http://numbers.test/accounts/9900012/orders/1
      Set-Cookie:
      - a=1; Path=/
      - b=2
    status:
      code: 201
      message: Created
version: 1
"""


def test_an_order_is_written_readable_in_the_order_of_vcrpy() -> None:
    assert dump([interaction()], "vcr").decode() == WRITTEN
    assert vcr.load(WRITTEN.encode(), HERE) == [interaction()]


@pytest.mark.parametrize("format_", ["vcr", "vcr-json"])
def test_the_keys_stand_as_vcrpy_itself_writes_them(format_: str) -> None:
    recorded = interaction(body=b"<a/>", request_body=b"<b/>")
    serializer = yamlserializer if format_ == "vcr" else jsonserializer
    ours = dump([recorded, recorded], format_)
    assert ours == serializer.serialize(serializer.deserialize(ours.decode())).encode()


@given(recorded=st.lists(any_interactions(), max_size=3))
@settings(deadline=None, max_examples=40)
def test_whatever_is_written_as_yaml_comes_back_as_it_was(recorded: list[Interaction]) -> None:
    written = dump(recorded, "vcr")
    assert vcr.load(written, HERE) == recorded
    assert dump(vcr.load(written, HERE), "vcr") == written


@given(body=BODIES)
@settings(deadline=None, max_examples=80)
def test_pyyaml_in_python_and_vcrpy_read_the_same_bytes(body: bytes) -> None:
    written = dump([interaction(body=body)], "vcr")
    # deserialize() turns every body into bytes where it can
    _, (played,) = deserialize(written.decode(), yamlserializer)
    assert played["body"]["string"] == body
    slow = yaml.load(written, Loader=yaml.SafeLoader)["interactions"][0]["response"]["body"]
    held = slow["string"]
    assert (held if isinstance(held, bytes) else held.encode()) == body


@given(recorded=st.lists(any_interactions(), max_size=2))
@settings(deadline=None, max_examples=20)
def test_json_comes_back_as_it_was_or_says_that_it_cannot_hold_it(
    recorded: list[Interaction],
) -> None:
    try:
        written = dump(recorded, "vcr-json")
    except CassetteError as error:
        told = str(error)
    else:
        assert vcr.load(written, HERE) == recorded
        told = "no UTF-8"
    assert "no UTF-8" in told


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_a_break_that_only_yaml_takes_for_one_is_escaped(character: str) -> None:
    recorded = interaction(body=f"a{character}b\n".encode())
    written = dump([recorded], "vcr")
    assert character.encode() not in written
    assert vcr.load(written, HERE) == [recorded]


def test_bytes_that_are_no_text_are_written_as_binary_and_not_in_json() -> None:
    recorded = interaction(body=b"\xff\xfe\x00", request_body=b"\x80")
    assert b"string: !!binary |\n" in dump([recorded], "vcr")
    assert vcr.load(dump([recorded], "vcr"), HERE) == [recorded]
    with pytest.raises(CassetteError) as refused:
        dump([interaction(), recorded], "vcr-json")
    assert str(refused.value) == (
        "Interaction 2 (POST http://numbers.test/accounts/9900012/orders) holds bytes that are no "
        "UTF-8, which vcrpy's JSON cannot hold; export it as YAML (vcr) or HAR."
    )


def test_an_answer_is_written_without_its_coding_because_vcrpy_plays_it_so() -> None:
    zipped = gzip.compress(ANSWER)
    told = lines(
        ("Content-Encoding", "gzip"), ("Content-Length", str(len(zipped))), ("Vary", "accept")
    )
    written = dump([interaction(headers=told, body=zipped)], "vcr")
    plain = lines(("Content-Length", str(len(ANSWER))), ("Vary", "accept"))
    assert vcr.load(written, HERE) == [interaction(headers=plain, body=ANSWER)]
    assert dump(vcr.load(written, HERE), "vcr") == written


def test_a_damaged_compressed_answer_is_not_exported_as_if_it_were_whole() -> None:
    cut = gzip.compress(ANSWER)[:-5]
    with pytest.raises(CassetteError, match=r"^Interaction 1 \(POST .* truncated gzip; record"):
        dump([interaction(headers=lines(("Content-Encoding", "gzip")), body=cut)], "vcr")


@pytest.mark.parametrize("format_", ["vcr", "vcr-json", "har"])
def test_every_format_is_told_by_its_content_whatever_its_name(
    format_: str, tmp_path: Path
) -> None:
    cassette = tmp_path / "cassette"
    cassette.write_bytes(dump([interaction()], format_))
    assert load(cassette) == [interaction()]


@pytest.mark.parametrize("format_", ["vcr", "vcr-json", "har"])
def test_nothing_recorded_is_a_whole_cassette(format_: str, tmp_path: Path) -> None:
    cassette = tmp_path / "cassette"
    cassette.write_bytes(dump([], format_))
    assert load(cassette) == []
