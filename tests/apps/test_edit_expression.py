"""The tab "Expression": its server, on models that show what they were asked for."""

import contextlib
import io
import threading
from types import SimpleNamespace

import httpx
import numpy as np
import pytest
import small_editor
import small_videos
from PIL import Image
from websockets.sync.client import connect

from lgan_jax import action_units
from lgan_jax.apps.edit import command, launch, protocol
from lgan_jax.apps.edit.expression_studio import ExpressionStudio
from lgan_jax.core import FaceInfo
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68
from lgan_jax.media import provenance
from lgan_jax.media.images import decode, encode_png
from lgan_jax.methods.dftnet.networks import Edited

pytest.importorskip("dlib")

SIZE = 64
OWN = action_units.units({4: 0.5, 12: 0.25})
SMILE = action_units.NUMBERS.index(12)


class Stub:
    """Faces become redder with unit 12; a bright face shows `OWN`, a dark one a dropped jaw. It can be held up."""

    info = FaceInfo(IBUG68, SIZE, ("ada",))

    def __init__(self):
        self.go = threading.Event()
        self.go.set()
        self.began = threading.Semaphore(0)
        self.seen = []

    def edit(self, image, units, own):
        self.began.release()
        assert self.go.wait(20)
        self.seen.append(round(float(units[0, SMILE]), 3))
        made = image.copy()
        made[..., 0] += 2 * units[:, SMILE, None, None]
        attention = np.full((*image.shape[:3], 1), 0.25, np.float32)
        made = np.clip(made, -1, 1)
        mixed = 0.75 * made + 0.25 * image
        return Edited(mixed, np.zeros((*image.shape[:3], 2), np.float32), attention, image, made)

    def estimate(self, image):
        return np.stack([OWN if one.mean() > -0.6 else action_units.units({26: 1.0}) for one in image])


@pytest.fixture(scope="module")
def stub():
    return Stub()


@pytest.fixture(scope="module")
def address(stub):
    known = {"ada": (0.5 + (MEAN_FACE - 0.5) * 0.86).astype(np.float32)[None]}
    with small_editor.served(None, ExpressionStudio(stub, "stub run", known)) as address:
        yield address


@pytest.fixture
def page(address):
    """An open page: its socket, and its session."""
    with opened(address) as (connection, session):
        yield connection, session


@contextlib.contextmanager
def opened(address):
    with connect(address.replace("http", "ws") + "socket", origin=address.rstrip("/"), max_size=None) as connection:
        header, _ = answer(connection)
        assert header["kind"] == "welcome"
        yield connection, header["session"]


def answer(connection):
    return protocol.unpack(connection.recv(timeout=20))


def scene(*faces, width=320, height=256):
    return small_videos.scene(*(faces or ((small_videos.face(1)[0], 60, 16),)), width=width, height=height)


def post(address, path, content, session="", **headers):
    where = f"{address}expression/{path}?session={session}"
    return httpx.post(where, content=content, headers={"origin": address.rstrip("/"), **headers}, timeout=30)


def upload(address, session, image):
    """The header of the answer to a photo, the units seen in it, and the photo as the server keeps it."""
    answered = post(address, "photo", encode_png(image), session)
    assert answered.status_code == 200, answered.text
    header, payload = protocol.unpack(answered.content)
    return header, np.frombuffer(payload[:68], "<f4"), decode(payload[68:])


def request(number, view="result", units=OWN, **header):
    return protocol.pack({"kind": "express", "id": number, "view": view, **header}, units.astype("<f4").tobytes())


def ask(connection, *arguments, **options):
    connection.send(request(*arguments, **options))
    header, payload = answer(connection)
    assert header["kind"] == "expression", header
    return header, decode(payload)


def test_what_the_page_is_told(address):
    told = httpx.get(f"{address}run").json()
    assert told["landmarks"] is None
    assert told["expression"]["run"] == "stub run"
    assert [unit["number"] for unit in told["expression"]["units"]] == list(action_units.NUMBERS)
    assert told["expression"]["units"][8]["name"] == "lip corner puller"
    assert [one["name"] for one in told["expression"]["expressions"]] == list(action_units.EXPRESSIONS)
    assert httpx.post(f"{address}landmarks/photo", headers={"origin": address.rstrip("/")}).status_code == 404


def test_a_photo_is_edited_in_its_place(address, page):
    connection, session = page
    image = scene()
    header, own, kept = upload(address, session, image)
    np.testing.assert_allclose(own, OWN)
    assert header["faces"] == ""
    assert np.abs(kept.astype(int) - image).mean() < 3
    left, top, right, bottom = header["place"]
    assert 60 < left < right < 284
    assert 16 < top < bottom < 240
    before = image[top:bottom, left:right]
    said, unchanged = ask(connection, 4, units=action_units.units({}))
    assert {key: said[key] for key in ("id", "photo", "view", "type")} == {
        "id": 4,
        "photo": header["photo"],
        "view": "result",
        "type": "image/jpeg",
    }
    assert said["network_ms"] > 0
    assert unchanged.shape == before.shape
    _, made = ask(connection, 5, units=action_units.units({12: 1.0}))
    change = made.astype(int) - before
    middle = (slice(len(made) // 3, 2 * len(made) // 3),) * 2
    assert change[middle][..., 0].mean() > 30
    assert np.abs(change[middle][..., 1:]).mean() < 12
    assert np.abs(change[:4]).mean() < 6  # the edge is the photo's


def test_views_are_the_models_own_pictures(address, page):
    connection, session = page
    upload(address, session, scene())
    pictures = {view: ask(connection, 1, view)[1] for view in ("aligned", "texture", "attention")}
    assert {picture.shape for picture in pictures.values()} == {(SIZE, SIZE, 3)}
    assert (pictures["attention"] == 64).all()
    painted = pictures["texture"] - pictures["aligned"].astype(int)
    assert painted[..., 0].mean() > 30
    assert not painted[..., 1:].any()


def test_the_newest_request_wins(address, page, stub):
    connection, session = page
    upload(address, session, scene())

    def smile(number, value):
        return request(number, units=action_units.units({12: value}))

    small_editor.assert_the_newest_wins(stub, connection, smile, answer)


def test_of_three_faces_the_largest_is_edited_and_named(address, page):
    _, session = page
    small, large = (small_videos.face(1, size)[0] for size in (150, 230))
    header, _, _ = upload(address, session, scene((small, 10, 40), (large, 190, 10), (small, 440, 40), width=600))
    assert header["faces"].startswith("3 faces in the photo: the largest is edited, number 2 from the left")
    assert 190 < header["place"][0] < header["place"][2] < 420


def test_like_another_photo(address):
    answered = post(address, "units", encode_png(small_videos.scene((small_videos.face(1)[0] // 6, 60, 16))))
    header, payload = protocol.unpack(answered.content)
    assert header == {"kind": "units", "faces": ""}
    np.testing.assert_allclose(np.frombuffer(payload, "<f4"), action_units.units({26: 1.0}))


def test_the_exported_photo_says_what_made_it(address, page):
    _, session = page
    image = scene()
    upload(address, session, image)
    answered = post(address, "export", protocol.pack({}, action_units.units({12: 1.0}).tobytes()), session)
    assert answered.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answered.content)) as file:
        assert provenance.SOURCE_TYPE in file.info["XML:com.adobe.xmp"]
        assert "stub run" in file.info["XML:com.adobe.xmp"]
        change = np.asarray(file).astype(int) - image
    assert change[100:160, 150:200, 0].mean() > 30
    assert not change[:, :40].any()


def test_a_photo_belongs_to_its_page_and_leaves_with_it(address, page):
    connection, session = page
    upload(address, session, scene())
    with opened(address) as (other, theirs):
        other.send(request(3))
        header, _ = answer(other)
        assert (header["kind"], header["of"]) == ("error", "express")
        assert header["message"] == "there is no photo yet: open one first"
        upload(address, theirs, scene((small_videos.face(2)[0], 60, 16)))
        first = ask(other, 4)[0]["photo"]
    assert ask(connection, 5)[0]["photo"] != first
    frame = protocol.pack({}, OWN.tobytes())
    for gone in (theirs, "", "guessed"):
        assert post(address, "export", frame, gone).text == "there is no photo yet: open one first"
        assert post(address, "photo", encode_png(scene()), gone).text == "this page is not connected: reload it"


@pytest.mark.parametrize(
    ("turns", "said"),
    [(2, "upright, but one upside down; turn"), (1, "one on its side"), (0, "there is no face that can be seen")],
)
def test_no_face_or_one_that_is_turned(address, page, turns, said):
    image = np.rot90(scene(), turns) if turns else np.full((200, 200, 3), 90, np.uint8)
    for path in ("photo", "units"):
        answered = post(address, path, encode_png(np.ascontiguousarray(image)), page[1])
        assert answered.status_code == 400
        assert answered.text.startswith("the photo: there is no face")
        assert said in answered.text
        assert "\n" not in answered.text


def test_refused_uploads(address, page):
    _, session = page
    assert post(address, "photo", b"garbage", session).text.startswith("this is no photo that can be read")
    assert post(address, "units", b"GIF89a").status_code == 400
    assert post(address, "photo", bytes(33 * 2**20), session).status_code == 413
    assert post(address, "photo", b"", session, origin="http://evil.example").status_code == 403
    upload(address, session, scene())
    assert "no frame of this page" in post(address, "export", b"garbage!", session).text
    assert "68 bytes" in post(address, "export", protocol.pack({}, bytes(12)), session).text


@pytest.mark.parametrize(
    ("message", "said"),
    [
        (request(1, "flow"), "view must be one of result, aligned, texture, attention"),
        (request(1, None), "view must be"),
        (request(1, units=OWN[:5]), "action units have 20 bytes; expected 17 numbers, 68 bytes"),
        (request(1, units=OWN + 1), "action units must be in [0, 1]"),
        (request(1, units=OWN * np.nan), "action units must be in [0, 1]"),
        (protocol.pack({"kind": "render", "id": 1}), "kind must be one of express"),
        (request("one"), "id must be a whole number"),
        (b"", "0 bytes"),
    ],
)
def test_garbage_gets_one_clear_line_and_the_socket_goes_on(address, page, message, said):
    connection, session = page
    upload(address, session, scene())
    connection.send(message)
    header, _ = answer(connection)
    assert header["kind"] == "error"
    assert said in header["message"]
    assert "\n" not in header["message"]
    assert ask(connection, 2)[0]["id"] == 2


def test_both_tabs_share_one_socket():
    landmarks = small_editor.studio(small_editor.model(), small_editor.known(each=6))
    with small_editor.served(landmarks, small_editor.expression_studio()) as address:
        told = httpx.get(f"{address}run").json()
        assert told["landmarks"]["identities"] == list(small_editor.NAMES)
        assert told["expression"]["size"] == 64
        with opened(address) as (connection, session):
            upload(address, session, scene())
            points = np.full((98, 2), 0.5, "<f4").tobytes()
            connection.send(protocol.pack({"kind": "render", "id": 1, "people": [0]}, points))
            connection.send(request(2))
            assert {answer(connection)[0]["kind"] for _ in range(2)} == {"image", "expression"}


def test_each_run_is_for_its_own_tab(monkeypatch, tmp_path):
    monkeypatch.setattr("lgan_jax.load", lambda folder: small_editor.expression_studio().model)

    def load(*others):
        return launch.load_studios(command.Options(workdir=[tmp_path, *others]))

    (tab,) = load().items()
    assert tab[0] == "expression"
    assert tab[1].name == tmp_path.name
    with pytest.raises(ValueError, match="second run for the tab expression; give one of each kind"):
        load(tmp_path)
    monkeypatch.setattr("lgan_jax.load", lambda folder: SimpleNamespace(synthesize=None))  # another method's
    with pytest.raises(ValueError, match="that the editor has no tab for; it needs one of LandmarkGAN or DFT-Net"):
        load()
    assert tab[1].known["mean face"].shape == (1, 68, 2)
