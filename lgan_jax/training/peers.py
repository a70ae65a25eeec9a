"""Detects, within a minute, that a process of a multi-process training has died; the others would wait forever.

Process 0 has a connection to each other process. A connection that closes without a goodbye means that its process has
died, as the operating system closes connections of dead processes; TCP keep-alive detects lost machines.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import sys
import threading
from collections.abc import Callable

_BYE = b"bye\n"
TOKEN = 8  # bytes that authenticate a connection of the run
_PATIENCE = 300.0  # seconds within which all processes must connect
GRACE = 2.0  # seconds in which this process may fail by itself, with its own error message
_KEEP_ALIVE = {"TCP_KEEPIDLE": 10, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}  # seconds, seconds, attempts


def end(index: int) -> None:
    """Reports that process `index` has ended, and ends this process immediately; saved checkpoints remain."""
    print(f"stopped: process {index} of this run has ended; start all of them again to continue", file=sys.stderr)
    sys.stdout.flush()
    os._exit(1)


class Peers:
    """The connections of one process. `lost(index)` is called, in a thread, when a process ends without a goodbye."""

    def __init__(self, lost: Callable[[int], None] = end):
        self._lost, self.connections = lost, {}
        self._server: socket.socket | None = None
        self._left = threading.Event()

    def listen(self) -> tuple[int, bytes]:
        """In process 0: listens; returns the port and the token that connections must begin with."""
        dual = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if dual else socket.AF_INET
        self._server = socket.create_server(("", 0), family=family, dualstack_ipv6=dual)
        self._token = os.urandom(TOKEN)
        return self._server.getsockname()[1], self._token

    def accept(self, count: int) -> None:
        """In process 0: waits for the other `count` - 1 processes. Raises `TimeoutError`."""
        self._server.settimeout(_PATIENCE)
        while len(self.connections) < count - 1:
            connection, _ = self._server.accept()
            connection.settimeout(_PATIENCE)
            with contextlib.suppress(OSError):
                hello = connection.recv(TOKEN + 4, socket.MSG_WAITALL)
                index = int.from_bytes(hello[TOKEN:])
                if hello[:TOKEN] == self._token and 0 < index < count:
                    self.connections[index] = connection
                    continue
            connection.close()
        self._server.close()
        self._watch()

    def connect(self, host: str, port: int, token: bytes, index: int) -> None:
        """In process `index`: connects to process 0. Raises `OSError`."""
        connection = socket.create_connection((host, port), _PATIENCE)
        connection.sendall(token + index.to_bytes(4))
        self.connections[0] = connection
        self._watch()

    def leave(self, well: bool) -> None:
        """Closes the connections, with a goodbye if `well`; without a goodbye the other processes end too."""
        self._left.set()
        for connection in self.connections.values():
            with contextlib.suppress(OSError):  # already closed
                if well:
                    connection.sendall(_BYE)
                connection.shutdown(socket.SHUT_WR)

    def _watch(self) -> None:
        for connection in self.connections.values():
            connection.settimeout(None)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for name, value in _KEEP_ALIVE.items():
                if hasattr(socket, name):
                    connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        threading.Thread(target=self._wait, name="peers", daemon=True).start()

    def _wait(self) -> None:
        """Waits until every other process has said goodbye, or one is lost."""
        with selectors.DefaultSelector() as selector:
            for index, connection in self.connections.items():
                selector.register(connection, selectors.EVENT_READ, index)
            while selector.get_map():
                for key, _ in selector.select():
                    try:
                        said = key.fileobj.recv(len(_BYE), socket.MSG_WAITALL)
                    except OSError:
                        said = b""
                    selector.unregister(key.fileobj)
                    if said != _BYE and not self._left.wait(GRACE):
                        self._lost(key.data)
