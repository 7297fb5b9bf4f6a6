"""The listener: HTTP/1.1 on the wire ↔ the model, on aiohttp's low-level server.

Nothing here knows what a request means: it is handed to a `Handler` and the answer is written
exactly. What aiohttp does differently by default, and the remedy, is in http-intermediary.md.
"""

from ordertape.server.handler import Handler
from ordertape.server.listener import Listener, check_parser
from ordertape.server.settings import ListenerSettings

__all__ = ["Handler", "Listener", "ListenerSettings", "check_parser"]
