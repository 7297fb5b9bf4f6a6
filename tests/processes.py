"""Real ordertape processes for tests: started, waited for, and always ended.

As a program (`processes.py COMMANDS`, as JSON) it runs one command after the other, and tells what
came of each.
"""

import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ordertape.cli import main

ORDERTAPE = str(Path(sys.executable).parent / "ordertape")
_URLS = re.compile(r"https?://\S+:\d+")


@dataclass
class Running:
    """A gateway, sandbox or replay that has opened its port. `output` is what it printed so far."""

    process: subprocess.Popen[str]
    output: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    _more: threading.Condition = field(default_factory=threading.Condition)

    def printed(self, pattern: str, within: float = 30) -> re.Match[str]:
        """The first match in what it printed, waited for."""
        with self._more:
            found = self._more.wait_for(
                lambda: re.search(pattern, "".join(self.output)), timeout=within
            )
        assert found, f"{pattern} was not printed: {self.output}"
        return found

    def logged(self, event: str, count: int = 1, within: float = 30) -> dict[str, Any]:
        """The `count`-th line of this event in its log, waited for."""

        def found() -> list[dict[str, Any]]:
            lines = [json.loads(line) for line in self.errors if line.startswith("{")]
            return [line for line in lines if line["event"] == event]

        with self._more:
            assert self._more.wait_for(lambda: len(found()) >= count, timeout=within), self.errors
            return found()[count - 1]

    def collect(self, stream: IO[str], lines: list[str]) -> None:
        """Take in lines until the stream ends; for a thread."""
        for line in stream:
            with self._more:
                lines.append(line)
                self._more.notify_all()

    @property
    def url(self) -> str:
        """Where clients connect: the first URL that it printed."""
        return _URLS.findall("".join(self.output))[0].rstrip(".;,")

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self.process.kill()
        self.process.wait(30)

    def stop(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def running(
    *arguments: str, cwd: Path, environment: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """Run `ordertape ARGUMENTS` in `cwd` until the block ends; its port is open on entry."""
    process = subprocess.Popen(
        [ORDERTAPE, *arguments],
        cwd=cwd,
        env={**os.environ, **(environment or {})},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    started = Running(process)
    threads = [
        threading.Thread(target=started.collect, args=pair)
        for pair in ((process.stdout, started.output), (process.stderr, started.errors))
    ]
    try:
        assert process.stdout is not None
        for line in process.stdout:
            started.output.append(line)
            if _URLS.search(line):
                break
        else:
            process.wait(30)
            raise AssertionError(
                f"ordertape did not start: {process.stderr and process.stderr.read()}"
            )
        for thread in threads:
            thread.start()
        yield started
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(30)
        for thread in threads:
            if thread.ident is not None:
                thread.join(30)
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def ordertape(*arguments: str, cwd: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a command that ends by itself."""
    return subprocess.run(
        [ORDERTAPE, *arguments],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


Told = tuple[int, str, str]
"""An exit code, and what was printed on either side."""


def ordertape_here(*arguments: str, cwd: Path) -> Told:
    """The same without a process of its own: where that is not the subject, it is much faster.

    Commands that set up logging do so for good, so they are none for the tests' own process.
    """
    streams = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    with chdir(cwd), redirect_stdout(streams[0]), redirect_stderr(streams[1]):
        try:
            main(list(arguments))
        except SystemExit as left:
            code = int(left.code or 0)
    printed, errors = (stream.buffer.getvalue().decode() for stream in streams)  # type: ignore[attr-defined]
    return code, printed, errors


def one_after_another(
    commands: Sequence[Sequence[str]], cwd: Path, before: Sequence[str] = ()
) -> list[Told]:
    """Run commands in one process, to which the program `before` leads: one start, not many."""
    done = subprocess.run(
        [*before, sys.executable, __file__, json.dumps(commands)],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done
    return [(code, printed, errors) for code, printed, errors in json.loads(done.stdout)]


if __name__ == "__main__":
    told = [ordertape_here(*command, cwd=Path()) for command in json.loads(sys.argv[1])]
    json.dump(told, sys.stdout)
