"""The body of an answer, from the connection that it comes in on to its one reader."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Protocol

from ordertape.errors import GatewayError

__all__ = ["AnswerStream", "Source"]


class Source(Protocol):
    """What a stream asks of the connection behind it."""

    def resume_reading(self) -> None:
        """Take in more: what had come is read."""

    def abort(self, why: str) -> None:
        """Drop the connection: the rest is not wanted."""


class AnswerStream(AsyncGenerator[bytes, None]):
    """The body of an answer as it comes in; read by one reader, once.

    Not an async generator function, because closing one that was never started runs none of its
    code, and the connection must be let go of even then. Errors: InDoubtError, AnswerTimeoutError.
    """

    def __init__(self, source: Source, data: bytes) -> None:
        self._source: Source | None = source
        self._loop = asyncio.get_running_loop()
        self._pieces = [data] if data else []
        self._error: GatewayError | None = None
        self._wake: asyncio.Future[None] | None = None
        self.size = len(data)

    def feed(self, piece: bytes) -> None:
        """Take in what came."""
        if piece:
            self._pieces.append(piece)
            self.size += len(piece)
            self._awake()

    def finish(self, error: GatewayError | None = None) -> None:
        """Nothing more will come; `error` is raised once what came has been read."""
        self._source = None
        self._error = error
        self._awake()

    async def asend(self, _value: None) -> bytes:
        """Return what has come since the last piece, waiting where nothing has."""
        while not self._pieces:
            if self._source is None:
                error, self._error = self._error, None
                raise StopAsyncIteration if error is None else error
            self._wake = self._loop.create_future()
            try:
                await self._wake
            except asyncio.CancelledError:
                self._break_off()
                raise
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.size = 0
        if self._source is not None:
            self._source.resume_reading()
        return data

    async def athrow(
        self,
        typ: type[BaseException] | BaseException,
        val: object = None,
        tb: TracebackType | None = None,
    ) -> bytes:
        """Break the answer off, as a generator would that does not catch what is thrown."""
        self._break_off()
        return await super().athrow(typ, val, tb)  # type: ignore[arg-type]

    async def aclose(self) -> None:
        """Break the answer off: the connection is closed unless the answer is whole."""
        self._break_off()

    def __del__(self) -> None:
        if self._source is not None and not self._loop.is_closed():
            self._break_off()

    def _break_off(self) -> None:
        source, self._source = self._source, None
        self._pieces.clear()
        if source is not None:
            source.abort("The answer was given up.")
        self._error = None

    def _awake(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
