"""Cassettes that are damaged, cut short or hostile: one sentence with file and line, at once."""

import base64
import gzip
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions import ANSWER, interaction
from ordertape.cassette import CassetteError, dump, har, load, vcr

HERE = Path("cassettes/order.yaml")
WHOLE = dump([interaction(), interaction(method="PUT"), interaction(body=b"\xff")], "vcr")


def refusal(text: bytes) -> str:
    with pytest.raises(CassetteError) as refused:
        vcr.load(text, HERE)
    return str(refused.value)


def in_request(line: str) -> bytes:
    """A cassette whose sixth line is this."""
    return (
        "interactions:\n- request:\n    method: GET\n    uri: http://x.test/\n    headers: {}\n"
        f"    {line}\n  response:\n    body: {{string: x}}\n    headers: {{}}\n"
        "    status: {code: 200, message: OK}\nversion: 1\n"
    ).encode()


def with_answer(line: str) -> bytes:
    """A cassette whose seventh line is this, in the answer."""
    return (
        "interactions:\n- request:\n    method: GET\n    uri: http://x.test/\n  response:\n"
        f"    status: {{code: 200, message: OK}}\n    {line}\nversion: 1\n"
    ).encode()


@pytest.mark.parametrize(
    "tag",
    [
        "!!python/object/apply:os.system",
        "!!python/object/new:subprocess.Popen",
        "!!python/object:os.Thing",
        "!!python/name:os.system",
        "!!python/module:os",
        "!!python/object/apply:builtins.eval",
        "!!python/bytes",
        "!!timestamp",
        "!!set",
        "!ruby/object:Gem::Installer",
        "!<tag:yaml.org,2002:python/object/apply:os.system>",
    ],
)
@pytest.mark.parametrize("value", ["['touch ran']", "{args: ['touch ran']}", "'touch ran'"])
def test_a_tag_that_is_not_known_is_refused_and_nothing_is_run(
    tag: str, value: str, tmp_path: Path
) -> None:
    told = refusal(in_request(f"body: {tag} {value.replace('ran', str(tmp_path / 'ran'))}"))
    shown = tag.removeprefix("!<").removesuffix(">").replace("tag:yaml.org,2002:", "!!")
    assert told == (
        f"cassettes/order.yaml:6: The tag {shown} is none that a cassette may hold here, and "
        "nothing of it was run; record anew, or write the value as plain text."
    )
    assert not list(tmp_path.iterdir())


def test_a_tag_under_another_name_is_the_same_tag() -> None:
    text = b"%TAG !x! tag:yaml.org,2002:python/object/apply:\n---\ninteractions: !x!os.system [a]\n"
    assert refusal(text).startswith(
        "cassettes/order.yaml:3: The tag !!python/object/apply:os.system is none that"
    )


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("body: !!binary '/w='", "6: The base64 is damaged (Incorrect padding); record it anew."),
        (
            "body: !!binary 'a*b='",
            "6: The base64 is damaged (Only base64 data is allowed); record it anew.",
        ),
        ("body: {base64_string: '/w'}", "6: The base64 is damaged (Incorrect padding);"),
        ("headers: {}", "6: The key 'headers' occurs twice; remove one."),
        ("body: *none", "6: The alias *none has no anchor."),
        ("body: &a [*a]", "6: The alias *a has no anchor."),
        ("<<: {body: x}", "6: Merge keys (<<) are not read; write the fields out."),
        ("? [a]", "6: A key of a mapping is no text; it is no cassette."),
        ("body: 'x", "12: The YAML is damaged or cut short (found unexpected end of stream);"),
        ("body: {a: !!binary '/w=='}", "3: The request's body cannot be written as JSON; record"),
        ("body: " + "[" * 200 + "]" * 200, "6: Nested deeper than 100; it is no cassette."),
        (
            "body: !!python/object/new:_io.BytesIO {}",
            "6: The value is not of the shape that !!python/object/new:_io.BytesIO has;",
        ),
        (
            "body: !!python/object/new:_io.BytesIO x",
            "6: The tag !!python/object/new:_io.BytesIO is none that",
        ),
    ],
)
def test_what_is_damaged_is_told_with_its_line(line: str, sentence: str) -> None:
    assert refusal(in_request(line)).startswith(f"cassettes/order.yaml:{sentence}")


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("headers: {'A B': c}", "'A B' is no header name; the file is damaged."),
        ('headers: {A: "b\\r\\nSet-Cookie: x"}', "The header A holds a line break; record it as"),
        ('headers: {A: "b\\0"}', "The header A holds a line break;"),
        ("headers: {A: {b: c}}", "The header is no text; the file is damaged."),
        ("headers: 7", "The headers are no mapping; the file is damaged."),
        ("headers: [7]", "A header is neither a pair nor a line; the file is damaged."),
    ],
)
def test_a_header_that_could_not_be_sent_is_refused(line: str, sentence: str) -> None:
    assert refusal(with_answer(line)).split(": ", 1)[1].startswith(sentence)


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [
        ("method: GET", "method: 'G T'", "3: The request's method is missing or none;"),
        ("method: GET", "x: y", "3: The request's method is missing or none;"),
        ("uri: http://x.test/", "uri: /orders", "3: The request's URL is missing or not absolute"),
        ("uri: http://x.test/", "uri: 'http://[x'", "3: The request's URL is missing or not"),
        ("uri: http://x.test/", "uri: 'http://x:y/'", "3: The request's URL is missing or not"),
        ("code: 200", "code: 101", "6: The answer's status is missing or no final one"),
        ("code: 200", "code: OK", "6: The answer's status is missing or no final one"),
        ("message: OK", 'message: "O\\nK"', "6: The answer's reason holds a line break;"),
        ("version: 1", "version: 2", "1: The cassette's version is not 1; record it anew"),
        ("version: 1", "versio: 1", "1: The cassette does not end with `version`, so it may be"),
    ],
)
def test_a_part_that_makes_no_sense_is_told_with_its_line(
    before: str, after: str, sentence: str
) -> None:
    text = with_answer("body: {string: x}").replace(before.encode(), after.encode())
    assert refusal(text).startswith(f"cassettes/order.yaml:{sentence}")


def test_every_cut_of_a_cassette_is_refused() -> None:
    cuts = [WHOLE[:end] for end in range(len(WHOLE) - 1)]
    accepted, refused = [], []
    for cut in cuts:
        try:
            vcr.load(cut, HERE)
        except CassetteError as error:
            refused.append(str(error))
        else:
            accepted.append(cut)
    assert accepted == []
    assert {told.partition(":")[0] for told in refused} == {"cassettes/order.yaml"}
    assert len(vcr.load(WHOLE[:-1], HERE)) == 3, "without the last line's end nothing is missing"


def test_a_version_that_stands_first_cannot_show_the_end() -> None:
    assert refusal(b"version: 1\ninteractions: []\n") == (
        "cassettes/order.yaml:1: The cassette does not end with `version`, so it may be cut short; "
        "restore it, or put `version` last if it is whole."
    )


@pytest.mark.parametrize("text", [b"", b"  \n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_not_an_empty_cassette(text: bytes) -> None:
    assert refusal(text) == (
        "cassettes/order.yaml:1: The file is empty; delete it, or restore what it held."
    )


@pytest.mark.parametrize(
    "text", [b"hello", b"a: b", b"# nothing", b"[]x", b"null", b'{"a": 1}', b"- a\n- b", b"{}"]
)
def test_another_file_is_no_cassette(text: bytes) -> None:
    assert refusal(text).startswith("cassettes/order.yaml:1: ")


def test_bytes_that_are_no_text_are_told_with_their_line() -> None:
    assert refusal(b"a: b\nc: \xff\n") == (
        "cassettes/order.yaml:2: The file is not UTF-8 text; it is damaged or no cassette."
    )
    assert refusal(b"a: b\nc: \x01\n") == (
        "cassettes/order.yaml:2: A character is none that YAML allows; the file is damaged or no "
        "cassette."
    )


def test_two_documents_are_refused() -> None:
    assert refusal(WHOLE + b"---\na: b\n").endswith(
        ": A second document begins; a cassette is one."
    )


def test_a_truncated_gzip_body_is_told_with_the_line_of_its_interaction() -> None:
    zipped = gzip.compress(ANSWER * 99)
    for cut in (2, 10, 20, len(zipped) // 2, len(zipped) - 1):
        body = base64.b64encode(zipped[:cut]).decode()
        text = with_answer(
            f"headers: {{Content-Encoding: gzip}}\n    body: {{string: !!binary {body}}}"
        )
        assert refusal(text) == (
            "cassettes/order.yaml:2: The body is damaged or truncated gzip; record it anew."
        )


def test_a_gzip_bomb_is_refused_within_bounds() -> None:
    body = base64.b64encode(gzip.compress(bytes(64 * 2**20))).decode()
    entry = {"method": "GET", "uri": "http://x.test/"}
    answer = {
        "status": {"code": 200, "message": "OK"},
        "headers": {"Content-Encoding": "gzip"},
        "body": {"base64_string": body},
    }
    text = json.dumps({"version": 1, "interactions": [{"request": entry, "response": answer}] * 5})
    assert "The compressed bodies hold more than 268435456 bytes" in refusal(text.encode())


LAUGHS = "a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12)
)


def limited(cassette: Path) -> str:
    """Run in a process that may hold 700 MiB and calculate for 20 s, and say the refusal."""
    program = (
        "import resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "resource.setrlimit(resource.RLIMIT_AS, (700 * 2**20,) * 2)\n"
        "from pathlib import Path\nfrom ordertape.cassette import CassetteError, load\n"
        "try:\n    load(Path(sys.argv[1]))\nexcept CassetteError as error:\n    print(error)\n"
    )
    command = [sys.executable, "-c", program, str(cassette)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return ran.stdout


def test_aliases_that_multiply_are_refused_in_little_memory(tmp_path: Path) -> None:
    cassette = tmp_path / "laughs.yaml"
    cassette.write_text(LAUGHS)
    assert limited(cassette) == (
        f"{cassette}:8: Aliases repeat more than 67108864 characters; the cassette is not read.\n"
    )


@pytest.mark.parametrize("style", ["plain", "block", "json"])
def test_a_scalar_of_100_mib_is_refused_in_bounded_memory(
    style: str, tmp_path: Path, *, long: bool
) -> None:
    mebibytes = 100 if long or style == "plain" else 66
    cassette = tmp_path / "large"
    line = b"x" * 1023
    with cassette.open("wb") as file:
        file.write(b'{"interactions": [\n{"a": "' if style == "json" else b"interactions:\n- ")
        file.write(b"|\n" if style == "block" else b"")
        for _ in range(mebibytes * 1024):
            file.write(line + b"x" if style != "block" else b"  " + line + b"\n")
        file.write(b'"}], "version": 1}' if style == "json" else b"\nversion: 1\n")
    assert limited(cassette) == (
        f"{cassette}:2: A text passes 67108864 characters; the cassette is not read.\n"
    )


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_nesting_without_end_is_refused(opening: str, tmp_path: Path) -> None:
    cassette = tmp_path / "deep.yaml"
    cassette.write_text("x:\n " + opening * 200_000)
    told = limited(cassette)
    assert told.startswith(f"{cassette}:2: ")
    assert "Nested deeper than 100" in told or "exceeded maximum nesting depth" in told


def test_json_nested_without_end_is_refused(tmp_path: Path) -> None:
    cassette = tmp_path / "deep.json"
    cassette.write_text('{"interactions": ' + "[" * 2_000_000)
    assert limited(cassette).startswith(f"{cassette}:1: The JSON is nested too")


def test_a_file_that_is_too_large_or_cannot_be_read_is_told(tmp_path: Path) -> None:
    endless = tmp_path / "endless.yaml"
    with endless.open("wb") as file:
        file.truncate(300 * 2**20)
    for path, sentence in (
        (endless, f"{endless}:1: The file passes 268435456 bytes; record into several cassettes."),
        (tmp_path, f"{tmp_path}: The cassette cannot be read (Is a directory); name a file"),
        (tmp_path / "no", f"{tmp_path / 'no'}: The cassette cannot be read (No such file"),
    ):
        with pytest.raises(CassetteError) as refused:
            load(path)
        assert str(refused.value).startswith(sentence)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{"interactions": [], "version": 1', "1: The JSON is damaged or cut short ("),
        (
            '{"version": 1, "interactions": [\n{},\n{"a": 1, "a": 2}]}',
            "3: The key 'a' occurs twice",
        ),
        ('{"version": 1, "interactions": [\n{"request": {}}]}', "2: The response is missing or no"),
        ('{"version": 1, "interactions": [\n\n7]}', "3: The interaction is missing or no mapping"),
        ('{"version": NaN, "interactions": []}', "1: NaN is not a JSON number; write null or"),
        ('{"version": ' + "9" * 5000 + "}", "1: A number has too many digits; it is no cassette."),
        ('{"version": 1, "interactions": 7}', "1: `interactions` is no list; the cassette is"),
        ('{"log": {"version": "1.2"}}', "1: The log has no entries; the archive is damaged."),
    ],
)
def test_damaged_json_is_told_with_the_line_of_its_entry(
    text: str, sentence: str, tmp_path: Path
) -> None:
    cassette = tmp_path / "c.json"
    cassette.write_text(text)
    with pytest.raises(CassetteError) as refused:
        load(cassette)
    assert str(refused.value).startswith(f"{cassette}:{sentence}")


def test_half_a_surrogate_pair_is_refused() -> None:
    text = dump([interaction(body=b"XX")], "vcr-json").replace(b'"XX"', b'"\\ud800"')
    assert refusal(text).endswith(": The body holds half a surrogate pair; record anew.")
    archive = dump([interaction(url="http://x.test/XX")], "har").replace(b"/XX", b"/\\ud800")
    with pytest.raises(CassetteError, match="The URL holds half a surrogate pair"):
        har.load(archive, HERE)


@given(data=st.data(), format_=st.sampled_from(["vcr", "vcr-json", "har"]))
@settings(deadline=None, max_examples=100)
def test_whatever_the_bytes_are_they_load_or_are_refused_in_one_sentence(
    data: st.DataObject, format_: str
) -> None:
    recorded = [
        interaction(),
        interaction(body=b"\xff") if format_ != "vcr-json" else interaction(),
    ]
    text = dump(recorded, format_)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 40))
        put = data.draw(
            st.sampled_from([b"", b"\n", b"{", b"- ", b'"', b"null", b"7", b"[", b"&a "])
        )
        text = text[:start] + put + text[end:]
    read = har.load if b'"log"' in text else vcr.load
    told = "cassettes/order.yaml:0: Loaded."
    try:
        read(text, HERE)
    except CassetteError as error:
        told = str(error)
    assert re.match(r"cassettes/order\.yaml:[0-9]+: [^\n]+\Z", told)
