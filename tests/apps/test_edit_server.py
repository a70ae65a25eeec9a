import asyncio
import contextlib
import http.client
import io
import socket
import threading
import zipfile
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
import small_editor
import websockets
from websockets.sync.client import connect

from lgan_jax.apps.edit import clients, protocol, shapes

POINTS = np.full((98, 2), 0.25, np.float32)


class Stub(small_editor.Stub):
    """A model whose images show the mean of the landmarks, and which can be held up."""

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Semaphore(0)
        self.seen = []

    def convert(self, landmarks, target, constrain=True):
        return landmarks

    def synthesize(self, landmarks, target, convert=True, constrain=True):
        self.began.release()
        assert self.go.wait(20)
        self.seen.append(round(float(landmarks[0].mean()), 3))
        return self.gray(2 * landmarks.mean((1, 2)) - 1)


@pytest.fixture(scope="module")
def stub():
    return Stub()


@pytest.fixture(scope="module")
def address(stub):
    with small_editor.served(small_editor.studio(stub, small_editor.known(each=6))) as address:
        yield address


@contextlib.contextmanager
def socket_of(address, **options):
    options.setdefault("origin", address.rstrip("/"))
    with connect(address.replace("http", "ws") + options.pop("path", "socket"), max_size=None, **options) as connection:
        assert answer(connection)[0]["kind"] == "welcome"
        yield connection


def request(number, value, **header):
    points = np.full((98, 2), value, "<f4")
    return protocol.pack({"kind": "render", "id": number, "people": [1], **header}, points.tobytes())


def answer(connection):
    return protocol.unpack(connection.recv(timeout=20))


def works(address):
    with socket_of(address) as connection:
        connection.send(request(5, 0.5))
        header, _ = answer(connection)
    return header["kind"] == "image" and header["id"] == 5


def test_a_picture_comes_back_with_its_landmarks(address):
    with socket_of(address) as connection:
        connection.send(request(8, 0.25))
        header, payload = answer(connection)
    assert {key: header[key] for key in ("kind", "id", "people", "encoding", "sizes")} == {
        "kind": "image",
        "id": 8,
        "people": [1],
        "encoding": "raw",
        "sizes": [32 * 32 * 4],
    }
    assert header["network_ms"] > 0
    assert header["distance"] > 1  # all points in one place
    assert header["clamped"] == [0.25]
    np.testing.assert_array_equal(np.frombuffer(payload, "<f4", 196), 0.25)
    pixels = np.frombuffer(payload, np.uint8, offset=784).reshape(32, 32, 4)
    assert pixels[..., :3].tolist() == np.full((32, 32, 3), 64).tolist()
    assert (pixels[..., 3] == 255).all()


def test_jpeg_for_pages_elsewhere(address):
    with socket_of(address) as connection:
        connection.send(request(9, 0.25, encoding="jpeg"))
        header, payload = answer(connection)
    assert header["sizes"] == [len(payload) - 784]
    assert payload[784:786] == b"\xff\xd8"


def test_the_newest_request_wins(address, stub):
    with socket_of(address) as connection:
        small_editor.assert_the_newest_wins(stub, connection, request, answer)


def test_twenty_pages_are_served_in_turn(address, stub):
    stub.go.clear()

    async def page(number, ready):
        where = address.replace("http", "ws") + "socket"
        async with websockets.connect(where, origin=address.rstrip("/")) as connection:
            await connection.recv()  # the welcome
            await connection.send(request(0, 0.01 * number))
            ready.append(number)
            answers = []
            for i in range(1, 6):
                header, payload = protocol.unpack(await asyncio.wait_for(connection.recv(), 30))
                answers.append((header["id"], round(float(np.frombuffer(payload, "<f4", 1)[0]), 3)))
                order.append(number)
                await connection.send(request(i, 0.01 * number))
        return answers

    async def all_pages():
        ready = []
        tasks = [asyncio.create_task(page(i, ready)) for i in range(20)]
        while len(ready) < 20:
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        stub.go.set()
        return await asyncio.gather(*tasks)

    order = []
    for number, answers in enumerate(asyncio.run(all_pages())):
        assert answers == [(i, round(0.01 * number, 3)) for i in range(5)]
    first = {number: order.index(number) for number in range(20)}
    assert max(first.values()) < 40  # nobody waits for others to be done with all they ask


@pytest.mark.parametrize(
    ("message", "said"),
    [
        ("a text", "only binary frames"),
        (b"", "0 bytes"),
        (bytes(range(256)) * 40, "no frame of this page"),
        (protocol.pack({"kind": "dance", "id": 1}), "kind must be one of render, camera"),
        (protocol.pack({"kind": [], "id": 1}), "kind must be"),
        (protocol.pack({"kind": "render", "id": 1}, bytes(784)), "people must be"),
        (protocol.pack({"kind": "render", "id": 1, "people": [0]}, bytes(12)), "landmarks have 12 bytes"),
        (protocol.pack({"kind": "camera", "id": 1}, b"no image"), "no photo that can be read"),
    ],
)
def test_garbage_gets_one_clear_line_and_the_socket_goes_on(address, message, said):
    with socket_of(address) as connection:
        connection.send(message)
        header, _ = answer(connection)
        assert header["kind"] == "error"
        assert said in header["message"]
        assert "\n" not in header["message"]
        connection.send(request(2, 0.5))
        assert answer(connection)[0]["kind"] == "image"


def test_a_huge_message_closes_its_own_socket_only(address):
    def overfill(connection):
        connection.send(bytes(5 * 2**20))
        connection.recv(timeout=20)

    with socket_of(address) as connection, pytest.raises(websockets.ConnectionClosed):
        overfill(connection)
    assert works(address)


def test_a_page_that_leaves_in_the_middle_does_no_harm(address, stub):
    stub.go.clear()
    with socket_of(address) as connection:
        connection.send(request(0, 0.3))
    stub.go.set()
    assert works(address)


def refused(address, path="socket", **options):
    """Why a socket is refused: it is opened, since a page sees nothing of one that is not, told, and closed."""
    with connect(address.replace("http", "ws") + path, **options) as connection:
        header, _ = answer(connection)
        with pytest.raises(websockets.ConnectionClosed) as closed:
            connection.recv(timeout=20)
    assert (header["kind"], closed.value.rcvd.code) == ("refused", 1008)
    return header["message"]


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:1", None])
def test_the_socket_is_for_the_own_page(address, origin):
    assert refused(address, origin=origin).startswith("only the editor's own page may do that")


def test_a_rebound_name_is_refused(address):
    answered = httpx.get(f"{address}run", headers={"host": "evil.example"})
    assert answered.status_code == 403
    assert "not this server's" in answered.text
    assert httpx.get(address, headers={"host": "evil.example"}).status_code == 200  # nobody's secret; it says why
    there = urlsplit(address)
    with socket.create_connection((there.hostname, there.port)) as rebound:
        said = refused("http://evil.example/", origin="http://evil.example", sock=rebound)
    assert "not this server's" in said


def test_the_page_keeps_to_itself(address):
    answered = httpx.get(address)
    assert answered.status_code == 200
    assert "default-src 'none'" in answered.headers["content-security-policy"]
    assert answered.headers["x-content-type-options"] == "nosniff"
    assert "://" not in answered.text
    script = httpx.get(f"{address}static/main.js")
    assert script.headers["content-type"].startswith("text/javascript")
    assert httpx.get(f"{address}static/../server.py").status_code == 404
    assert httpx.get(f"{address}static/%2e%2e/server.py").status_code == 404


def test_what_the_page_is_told(address):
    told = httpx.get(f"{address}run").json()
    assert told.pop("expression") is None
    told = told["landmarks"]
    assert told["identities"] == list(small_editor.NAMES)
    assert np.shape(told["resting"]) == (196,)
    assert told["constraint"] == 2.5
    assert [slider["name"] for slider in told["sliders"]] == list(shapes.MEASURES)


def post(address, path, content, **headers):
    return httpx.post(address + path, content=content, headers={"origin": address.rstrip("/"), **headers}, timeout=30)


def test_exports(address):
    frame = protocol.pack({"people": [0, 2]}, POINTS.tobytes())
    picture = post(address, "landmarks/export/image", frame)
    assert picture.headers["content-type"] == "image/png"
    assert picture.content.startswith(b"\x89PNG")
    sheet = post(address, "landmarks/export/grid", protocol.pack({"people": [0]}, POINTS.tobytes() * 3))
    assert sheet.content.startswith(b"\x89PNG")
    pytest.importorskip("av")
    video = post(address, "landmarks/export/video", protocol.pack({"people": [0]}, POINTS.tobytes() * 2))
    assert video.headers["content-type"] == "video/mp4"
    assert video.content[4:8] == b"ftyp"


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("landmarks/export/film", protocol.pack({"people": [0]}, POINTS.tobytes()), "there is no export 'film'"),
        ("landmarks/export/grid", protocol.pack({"people": [0]}, POINTS.tobytes() * 49), "at most 48 times"),
        ("landmarks/export/image", b"garbage!", "no frame of this page"),
        ("landmarks/photo", b"garbage", "no photo that can be read"),
    ],
)
def test_bad_uploads_get_one_clear_line(address, path, content, said):
    answered = post(address, path, content)
    assert answered.status_code == 400
    assert said in answered.text
    assert "\n" not in answered.text


def test_a_zip_called_png_is_refused(address):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("face.png", bytes(1000))
    answered = post(address, "landmarks/photo", archive.getvalue(), **{"content-type": "image/png"})
    assert (answered.status_code, answered.text) == (
        400,
        "this is no photo that can be read (no image can be decoded)",
    )


def test_uploads_are_for_the_own_page(address):
    assert httpx.post(f"{address}landmarks/photo", content=b"x").status_code == 403
    assert post(address, "landmarks/photo", b"x", origin="http://evil.example").status_code == 403


@pytest.mark.parametrize("says_so", [True, False])
def test_a_gigabyte_is_refused_while_it_comes(address, says_so):
    there = urlsplit(address)
    connection = http.client.HTTPConnection(there.hostname, there.port, timeout=20)
    connection.putrequest("POST", "/landmarks/photo")
    connection.putheader("Origin", address.rstrip("/"))
    connection.putheader(*(("Content-Length", str(2**30)) if says_so else ("Transfer-Encoding", "chunked")))
    connection.endheaders()
    chunk, sent = bytes(2**20), 0
    try:
        while sent < 1024:
            connection.send(chunk if says_so else b"100000\r\n" + chunk + b"\r\n")
            sent += 1
            if sent == 1 and says_so:
                break
    except OSError:
        pass  # the server has closed its end
    assert sent < 200
    if says_so:
        answered = connection.getresponse()
        assert (answered.status, answered.read()) == (413, b"at most 32 MB can be sent")
    connection.close()
    assert works(address)


def test_with_a_token_everything_but_the_static_files_needs_it(stub):
    with small_editor.served(small_editor.studio(stub, small_editor.known(each=4)), token="se-cret") as address:
        assert httpx.get(address).status_code == 403
        assert "token" in httpx.get(f"{address}run?token=wrong").text
        assert httpx.get(f"{address}?token=se-cret").status_code == 200
        assert httpx.get(f"{address}static/main.js").status_code == 200
        assert post(address, "landmarks/photo", b"x").status_code == 403
        assert post(address, "landmarks/photo?token=se-cret", b"x").status_code == 400
        assert "token is missing" in refused(address, origin=address.rstrip("/"))
        with socket_of(address, path="socket?token=se-cret") as connection:
            connection.send(request(1, 0.2))
            assert answer(connection)[0]["kind"] == "image"


def test_a_fault_of_the_program_is_logged_and_the_page_told(caplog):
    async def broken():
        raise ZeroDivisionError

    header, _ = protocol.unpack(asyncio.run(clients.guarded(broken(), "render")))
    assert (header["kind"], header["of"]) == ("error", "render")
    assert "terminal" in header["message"]
    assert "ZeroDivisionError" in caplog.text
