"""Connections to the page's server that cannot be used up: strangers are few, and gone soon.

Whoever has not shown that they may come in waits at the door: a connection without a request, with half of one, or with
one that was refused. It is closed after `WITHIN` seconds, and the oldest gives way when there are more than `MOST`. So
neither slow requests nor many of them keep others out. Every answer carries the headers of `guard.HEADERS`, and what
strangers can cause is not written to the log line by line.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from lgan_jax.apps.edit.guard import HEADERS

MOST = 64  # connections at the door
WITHIN = 10.0  # seconds until a request must be there
_LINES, _MINUTE = 20, 60.0  # lines of the log in so many seconds
_REFUSED = "this is no HTTP request"

Client = tuple[str, int]


class Door:
    """Who waits at the door, the oldest first."""

    def __init__(self) -> None:
        self._waiting: dict[Client | None, Any] = {}

    def arrive(self, client: Client | None, transport: Any) -> None:
        """A connection waits from now on; the oldest is closed where there are too many."""
        self._waiting.pop(client, None)
        self._waiting[client] = transport
        if len(self._waiting) > MOST:
            self._waiting.pop(next(iter(self._waiting))).abort()

    def leave(self, client: Client | None) -> None:
        """A connection has come in, or is gone."""
        self._waiting.pop(client, None)


class Connection(H11Protocol):
    """One HTTP connection, with a limit on the time in which a request must be there."""

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._door = door
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        self._door.leave(self.client)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        before = self.cycle
        super().data_received(data)
        if self.cycle is not before:
            self._stop_waiting()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def on_response_complete(self) -> None:
        before = self.cycle
        super().on_response_complete()
        if self.cycle is before and not self.transport.is_closing():
            self._wait()

    def send_400_response(self, msg: str) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.abort()
            return
        headers = [*self.server_state.default_headers, ("content-type", "text/plain"), ("connection", "close")]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=_REFUSED.encode()),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _wait(self) -> None:
        self._stop_waiting()
        self._door.arrive(self.client, self.transport)
        self._timer = self.loop.call_later(WITHIN, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class Socket(WebSocketsSansIOProtocol):
    """One WebSocket connection; also what refuses a handshake carries the headers."""

    def __init__(self, door: Door, **given: Any) -> None:
        super().__init__(**given)
        self._door = door
        send_response = self.conn.send_response

        def send_with_headers(response: Any) -> None:
            for name, value in HEADERS.items():
                if name not in response.headers:
                    response.headers[name] = value
            send_response(response)

        self.conn.send_response = send_with_headers

    def connection_lost(self, exc: Exception | None) -> None:
        self._door.leave(self.client)
        super().connection_lost(exc)


class Sparing(logging.Filter):
    """Lets a few lines a minute pass, so that no client fills the log."""

    def __init__(self) -> None:
        super().__init__()
        self._began, self._lines = 0.0, 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a line is written; the last of a minute says that more are left out."""
        now = time.monotonic()
        if now - self._began > _MINUTE:
            self._began, self._lines = now, 0
        self._lines += 1
        if self._lines == _LINES:
            record.msg = f"{record.msg} (and no more lines for a minute)"
        return self._lines <= _LINES


_SPARING = Sparing()


def log_sparingly() -> None:
    """Of all loggers that a request can write to."""
    for name in ("uvicorn.error", "asyncio", "lgan_jax.apps.edit.clients"):
        logging.getLogger(name).addFilter(_SPARING)
