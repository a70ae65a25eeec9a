"""The door of the editor's server: slow requests, crowds, refusals, headers, and what is written to the log."""

import asyncio
import contextlib
import logging
import socket
import time
from urllib.parse import urlsplit

import httpx
import pytest
import small_editor
from websockets.sync.client import connect

from lgan_jax.apps.edit import clients, connections, photos, protocol, replies, server
from lgan_jax.apps.edit.guard import HEADERS


@pytest.fixture(scope="module")
def address():
    with small_editor.served() as address:
        yield address


def raw(address, *parts, until_closed=True):
    """What the server answers to bytes, with the socket still open."""
    there = urlsplit(address)
    connection = socket.create_connection((there.hostname, there.port), timeout=30)
    for part in parts:
        connection.sendall(part)
    answered = b""
    while until_closed and (data := connection.recv(65536)):
        answered += data
    return connection, answered


HANDSHAKE = b"GET /socket HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 200),
        (b"GET /run HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403),
        (b"GET /nothing HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", 404),
        (b"nonsense\r\n\r\n", 400),
        (HANDSHAKE + b"Sec-WebSocket-Version: 13\r\n\r\n", 400),
        (HANDSHAKE + b"Sec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 400),
    ],
)
def test_every_answer_has_the_headers_and_no_banner(address, request_, status, caplog):
    connection, answered = raw(address, request_)
    connection.close()
    head = answered.partition(b"\r\n\r\n")[0].decode().lower()
    assert head.startswith(f"http/1.1 {status} ")
    for name in HEADERS:
        assert head.count(f"\r\n{name.lower()}:") == 1, name
    assert "\r\nserver:" not in head
    assert not caplog.records  # what strangers send is not written down


def test_slow_requests_are_closed_and_keep_nobody_out(monkeypatch):
    monkeypatch.setattr(connections, "WITHIN", 0.5)
    with small_editor.served() as address:
        static = b"GET /static/icon.svg HTTP/1.1\r\nHost: a\r\n\r\n"
        refused = b"POST /run HTTP/1.1\r\nHost: evil\r\nContent-Length: 9\r\n\r\n1"
        for start in (b"", b"GET /run HT", static + b"GET /sta", refused):
            began = time.monotonic()
            raw(address, start)[0].close()
            assert time.monotonic() - began < 15


def test_an_upload_that_trickles_in_is_given_up(monkeypatch):
    monkeypatch.setattr(photos, "WITHIN", 0.1)

    async def chunks():
        while True:
            yield b"1"
            await asyncio.sleep(0.01)

    with pytest.raises(ValueError, match=r"did not arrive within 0\.1 seconds"):
        asyncio.run(photos.body({"content-length": "99999"}, chunks()))


def test_a_crowd_at_the_door_gives_way():
    with small_editor.served() as address:
        crowd = [raw(address, b"GET / HTTP/1.1\r\nHos", until_closed=False)[0] for _ in range(connections.MOST + 20)]
        assert httpx.get(address).status_code == 200
        crowd[0].settimeout(20)
        with contextlib.suppress(ConnectionResetError):
            assert crowd[0].recv(1) == b""
        crowd[-1].sendall(b"t: 127.0.0.1\r\n\r\n")
        assert crowd[-1].recv(12) == b"HTTP/1.1 200"
        for each in crowd:
            each.close()


def test_uploads_are_held_a_few_at_a_time():
    class Tab:
        workers = clients.Workers()

        @replies.clear
        async def upload(self, request):
            self.now, self.most = self.now + 1, max(self.most, self.now + 1)
            await asyncio.sleep(0.01)
            self.now -= 1

        now = most = 0

    async def many(tab):
        await asyncio.gather(*(tab.upload(None) for _ in range(11)))

    tab = Tab()
    asyncio.run(many(tab))
    assert (tab.most, tab.now) == (clients.UPLOADS, 0)


def test_pages_have_a_limit(address, monkeypatch):
    monkeypatch.setattr(server, "_MOST_PAGES", 2)
    where, origin = address.replace("http", "ws") + "socket", address.rstrip("/")

    def first_word(connection):
        return protocol.unpack(connection.recv(timeout=20))[0]

    with connect(where, origin=origin) as one, connect(where, origin=origin) as two:
        assert first_word(one)["kind"] == first_word(two)["kind"] == "welcome"
        with connect(where, origin=origin) as three:
            assert "2 pages are open" in first_word(three)["message"]
    with connect(where, origin=origin) as four:
        assert first_word(four)["kind"] == "welcome"


def test_the_log_cannot_be_filled(caplog):
    logger = logging.getLogger("lgan_jax.test_sparing")
    logger.addFilter(connections.Sparing())
    for _ in range(1000):
        logger.error("a line")
    assert len(caplog.records) == 20
    assert "no more lines" in caplog.records[-1].message
