"""Commands on a terminal of a given width."""

import fcntl
import os
import pty
import struct
import subprocess
import termios
from pathlib import Path

from processes import ORDERTAPE


def on_terminal(*arguments: str, cwd: Path, columns: int) -> str:
    """What `ordertape ARGUMENTS` prints on a terminal, line ends as on a pipe."""
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        environment = {k: v for k, v in os.environ.items() if k not in {"COLUMNS", "NO_COLOR"}}
        with subprocess.Popen(
            [ORDERTAPE, *arguments],
            cwd=cwd,
            env={**environment, "TERM": "xterm"},
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            theirs = -1
            printed = _read(ours)
            assert process.wait(60) == 0, printed
    finally:
        os.close(ours)
        if theirs >= 0:
            os.close(theirs)
    return printed.decode().replace("\r\n", "\n")


def _read(terminal: int) -> bytes:
    pieces: list[bytes] = []
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says EIO where the last one has let go of the terminal
            piece = b""
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
