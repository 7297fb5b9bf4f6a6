"""Answers from recordings. There is no client in here: nothing to call out with.

`sources` opens what was recorded, `recordings` finds in it by match key, `playback` says whose turn
it is, `nearest` what a request without a recording comes closest to, and `sessions` is the upstream
that keeps several playbacks apart.
"""

from __future__ import annotations

from ordertape.upstream.replay.playback import MOST_MISSES, Playback, Repeat
from ordertape.upstream.replay.recordings import Recordings
from ordertape.upstream.replay.sessions import Sessions

__all__ = ["MOST_MISSES", "Playback", "Recordings", "Repeat", "Sessions"]
