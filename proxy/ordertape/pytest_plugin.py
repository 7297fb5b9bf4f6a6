"""The pytest plugin: the fixture `ordertape`, its mark, and what a failing test is told.

Everything that makes a gateway is imported when the first test asks for one: a run that uses none
of it does not pay for it.
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import importlib.util
import os
import uuid
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from ordertape.testing.bench import Mode
    from ordertape.testing.playing import Playing

_NAME = "ordertape"
_RECORDING = "recording"  # what pytest-recording calls itself
_MODES = ("none", "once", "new_episodes", "all", "rewrite")
_FORBIDDEN = str.maketrans(dict.fromkeys("<>?%*:|\"'/\\", "-"))
_LONGEST = 200
"""Bytes of a cassette's name: file systems take 255, and a draft's name is longer."""

_CHOICES: Mapping[str, tuple[str | None, ...]] = {
    "element_order": ("any", "significant", None),
    "repeat": ("last", "loop", "error", None),
    "missed": ("fail", "report"),
    "unused": ("fail", "report"),
}
_MARK = (
    "ordertape(cassette, *, ignore, headers, element_order, repeat, config, missed, unused): "
    "which cassette the fixture ordertape answers from, what makes a request one of its own, and "
    "whether missed requests and unused recordings fail the test."
)


@dataclass(frozen=True, slots=True)
class _Marked:
    """What marks say of a test; None is as configured."""

    cassette: str | None = None
    ignore: Sequence[str] | None = None
    headers: Sequence[str] | None = None
    element_order: str | None = None
    repeat: str | None = None
    config: str | None = None
    missed: str = "fail"
    unused: str = "report"


@dataclass(slots=True)
class _Given:
    """What a test was given, and what its marks say.

    `passed` is whether the test itself found no fault, `complaint` what it was failed with then.
    """

    playing: Playing
    marked: _Marked
    folder: Path
    passed: bool = False
    complaint: str = ""

    def complained(self) -> str:
        """Why the test fails all the same; "" where it does not, or has been told."""
        marked = cast("Any", self.marked)
        found = self._shown(self.playing.complaint(missed=marked.missed, unused=marked.unused))
        if found == self.complaint:
            return ""
        self.complaint = found
        return found

    def told(self) -> str:
        """What there is to tell beside that."""
        found = self._shown(self.playing.told())
        return "" if found == self.complaint else found

    def _shown(self, text: str) -> str:
        """The text with paths from where pytest was started."""
        return text.replace(f"{self.folder}{os.sep}", "")


_GIVEN = pytest.StashKey[_Given]()
_PLACES = pytest.StashKey[dict[Path, str]]()


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """The options. `--record-mode` is pytest-recording's own where that is loaded."""
    group = parser.getgroup(_NAME, "ordertape: record once, replay for ever")
    names = ["--ordertape-record-mode"]
    if not _recording_comes(pluginmanager):
        names.append("--record-mode")
    group.addoption(
        *names,
        dest="ordertape_record_mode",
        choices=_MODES,
        help="What the fixture ordertape records, as pytest-recording has it [none].",
    )
    group.addoption(
        "--ordertape-upstream",
        metavar="URL",
        help="The service that is recorded [the ini option, else the sandbox].",
    )
    group.addoption(
        "--ordertape-server",
        metavar="URL",
        help="A running `ordertape replay`, of which each test gets a session of its own.",
    )
    parser.addini(
        "ordertape_upstream", "Base URL of the service that is recorded; its path is kept in replay"
    )
    parser.addini("ordertape_config", "Configuration of the gateway [ordertape.toml]", type="paths")


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known. Errors: UsageError."""
    config.addinivalue_line("markers", _MARK)
    config.stash[_PLACES] = {}
    _upstream(config)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Nobody shall record without seeing it."""
    mode = _mode(config)
    if mode == "none":
        return None
    return f"ordertape: recording ({mode}) from {_upstream(config) or 'the sandbox'}"


@pytest.fixture
def ordertape(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a gateway that answers from this test's cassette, without a `/` at its end.

    With `--record-mode` it records the cassette. The mark `ordertape` names another, and says what
    makes a request one of the recorded.
    """
    if server := request.config.getoption("ordertape_server"):
        yield f"{server.rstrip('/')}/~{uuid.uuid4().hex}"
        return
    marked = _marked(request.node)
    playing = _play(request, marked)
    if isinstance(playing, str):
        pytest.fail(playing, pytrace=False)
    given = request.node.stash[_GIVEN] = _Given(
        playing, marked, request.config.invocation_params.dir
    )
    try:
        yield playing.url
    finally:
        playing.end()
    if given.passed and (complaint := given.complained()):
        pytest.fail(complaint, pytrace=False)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Fail a test that passes although something that it asked for is not recorded."""
    result = yield
    given = item.stash.get(_GIVEN, None)
    if given is not None:
        given.passed = True
        if complaint := given.complained():
            pytest.fail(complaint, pytrace=False)
        if given.playing.tape is not None and _mode(item.config) == "rewrite":
            given.playing.tape.drop_what_is_left()
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Tell a failing test what was missed and what was not used."""
    report = yield
    given = item.stash.get(_GIVEN, None)
    if given is not None and report.failed and (told := given.told()):
        report.sections.append((_NAME, told))
    return report


def _play(request: pytest.FixtureRequest, marked: _Marked) -> Playing | str:
    """The gateway of a test, or the sentence that says why it can have none."""
    from ordertape.errors import StartUpError  # noqa: PLC0415 - see the module's first comment
    from ordertape.testing.bench import Wanted, shared  # noqa: PLC0415

    try:
        return shared().play(
            Wanted(
                sources=(_cassette(request, marked),),
                mode=_mode(request.config),
                upstream=_upstream(request.config),
                ignore=None if marked.ignore is None else tuple(marked.ignore),
                headers=None if marked.headers is None else tuple(marked.headers),
                element_order=cast("Any", marked.element_order),
                repeat=cast("Any", marked.repeat),
                config=_config(request, marked),
            )
        )
    except StartUpError as error:
        return str(error)


def _recording_comes(pluginmanager: pytest.PytestPluginManager) -> bool:
    if pluginmanager.hasplugin(_RECORDING) or pluginmanager.hasplugin("pytest_recording.plugin"):
        return True
    if "PYTEST_DISABLE_PLUGIN_AUTOLOAD" in os.environ or pluginmanager.is_blocked(_RECORDING):
        return False
    return importlib.util.find_spec("pytest_recording") is not None


def _mode(config: pytest.Config) -> Mode:
    own = config.getoption("ordertape_record_mode")
    return cast("Mode", own or config.getoption("record_mode", None) or "none")


def _upstream(config: pytest.Config) -> str | None:
    """What is recorded, None for the sandbox. Errors: UsageError.

    In replay too its path is a part of the fixture's URL: it is one of the recorded.
    """
    configured = str(config.getini("ordertape_upstream") or "")
    named = config.getoption("ordertape_upstream")
    if named is None:
        return configured or None
    path = urlsplit(named).path.rstrip("/")
    if path != urlsplit(configured).path.rstrip("/"):
        raise pytest.UsageError(
            f"--ordertape-upstream has the path {path or '/'}, which replay could not know; set "
            f"ordertape_upstream = {named} in the ini file."
        )
    return str(named)


def _config(request: pytest.FixtureRequest, marked: _Marked) -> Path | None:
    """The configuration that holds: of the mark, else of the ini file, else the usual one."""
    if marked.config is not None:
        return Path(request.path.parent, marked.config)
    named: Sequence[Path] = request.config.getini("ordertape_config")
    if named:
        return named[0]
    usual = request.config.rootpath / "ordertape.toml"
    return usual if usual.exists() else None


def _cassette(request: pytest.FixtureRequest, marked: _Marked) -> Path:
    """`cassettes/{module}/[Class.]{test}.yaml` beside the test, or as the mark has it."""
    folder = request.path.parent / "cassettes" / request.path.stem
    if marked.cassette is not None:
        return folder / (marked.cassette + ("" if Path(marked.cassette).suffix else ".yaml"))
    test = request.node.name
    name = (f"{request.cls.__name__}.{test}" if request.cls else test).translate(_FORBIDDEN)
    whole = name.encode()
    if len(whole) > _LONGEST:
        digest = hashlib.sha256(whole).hexdigest()[:16]
        name = f"{whole[:_LONGEST].decode(errors='ignore')}-{digest}"
    path = folder / f"{name}.yaml"
    other = request.config.stash[_PLACES].setdefault(path, request.node.nodeid)
    if other != request.node.nodeid:
        pytest.fail(
            f"The cassette {path} would also be that of {other}; name another with "
            '@pytest.mark.ordertape("NAME").',
            pytrace=False,
        )
    return path


def _marked(node: pytest.Item) -> _Marked:
    """What all marks of a test say together; the nearest one counts."""
    found: dict[str, Any] = {}
    names = [field.name for field in dataclasses.fields(_Marked)]
    for mark in reversed(list(node.iter_markers(_NAME))):
        if len(mark.args) > 1 or (mark.args and "cassette" in mark.kwargs):
            pytest.fail("The mark ordertape takes one cassette.", pytrace=False)
        found |= {"cassette": mark.args[0]} if mark.args else {}
        found |= mark.kwargs
    for name, value in found.items():
        if wrong := _wrong(name, value, names):
            pytest.fail(f"The mark ordertape {wrong}.", pytrace=False)
    return _Marked(**found)


def _wrong(name: str, value: object, names: Sequence[str]) -> str | None:
    """What is wrong with an option of the mark, as the end of a sentence, if anything."""
    if name not in names:
        near = difflib.get_close_matches(name, names, 1) or [", ".join(names)]
        return f"has no option {name!r}; it has {near[0]}"
    if name in _CHOICES and value not in _CHOICES[name]:
        choices = " or ".join(choice for choice in _CHOICES[name] if choice)
        return f"has {name}={value!r}; write {choices}"
    if name in {"ignore", "headers"} and isinstance(value, str):
        return f"has {name}={value!r}; write a list, [{value!r}]"
    if name in {"cassette", "config"} and not isinstance(value, str | os.PathLike):
        return f"has {name}={value!r}; write a name"
    return None
