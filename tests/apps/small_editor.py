"""A landmark editor to test: random networks of any size, its server in a thread, a browser that opens the page."""

import contextlib
import functools
import pathlib
import socket
import threading
import time

import bare_faces
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import uvicorn

from lgan_jax.apps.edit import server
from lgan_jax.apps.edit.expression_studio import ExpressionStudio
from lgan_jax.apps.edit.guard import Guard
from lgan_jax.apps.edit.studio import Studio
from lgan_jax.core import FaceInfo, Finished
from lgan_jax.data import synthetic
from lgan_jax.faces.align import MEAN_FACE
from lgan_jax.landmarks import IBUG68, WFLW98
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.methods.dftnet.editor import EditorPhase
from lgan_jax.methods.dftnet.model import DFTNet
from lgan_jax.methods.landmarkgan.converter import ConverterPhase
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.methods.landmarkgan.model import LandmarkGAN

CHROMIUM = pathlib.Path("/usr/bin/chromium")
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.example.org 127.0.0.1",  # names that a proxy might serve the page under
)
NAMES = ("ada", "ben", "chloe")
BUTTONS = "[data-command]:not(.elsewhere, .elsewhere *, [role=tabpanel][hidden] *)"  # of the tab that is shown


class Stub:
    """A model of three people whose images are gray, by a value for each."""

    info = FaceInfo(WFLW98, 32, NAMES)
    constraint = 2.5

    def clamped(self, landmarks, target):
        return np.linspace(0.25, 0.5, len(landmarks))

    def detect(self, images):
        raise NotImplementedError

    @staticmethod
    def gray(values):
        return np.broadcast_to(values[:, None, None, None], (len(values), 32, 32, 3)).astype(np.float32)


def assert_the_newest_wins(stub, connection, request, answer):
    """Of 40 requests that arrive while the first is worked on, the first and the last are answered."""
    stub.seen.clear()
    stub.go.clear()
    try:
        connection.send(request(0, 0.1))
        while stub.began.acquire(timeout=0.2):
            pass  # the first is being worked on; what follows has to wait
        for number in range(1, 40):
            connection.send(request(number, 0.1 + number / 100))
        connection.send(b"")  # answered at once: all before it have arrived
        assert answer(connection)[0]["kind"] == "error"
        stub.go.set()
        assert [answer(connection)[0]["id"] for _ in range(2)] == [0, 39]
    finally:
        stub.go.set()
    assert stub.seen == [0.1, 0.49]


def sample(index, people=3):
    """An image of built-in people, who take turns."""
    return synthetic.sample(synthetic.Settings(identities=people), "train", index)


@functools.cache
def landmarks_of(index, people=3):
    """Landmarks of `sample(index)`."""
    return bare_faces.landmarks(sample(index, people))


def known(each=24, people=3):
    """Landmarks of built-in people, as a run keeps them."""
    drawn = [landmarks_of(i, people) for i in range(each * people)]
    return {name: np.stack(drawn[i::people]) for i, name in enumerate(NAMES[:people])}


def model(size=32, people=3, width=1 / 32, converter_width=24):
    """A LandmarkGAN as its phases build it, with random weights."""
    info = FaceInfo(WFLW98, size, NAMES[:people])
    batch = {
        "image": np.zeros((2, people, size, size, 3), np.float32),
        "landmarks": np.random.default_rng(3).uniform(0.2, 0.8, (2, people, 98, 2)).astype(np.float32),
    }
    single = {name: x[:, 0] for name, x in batch.items()}
    earlier = {}
    for name, method, example in (
        ("detector", DetectorPhase(DetectorPhase.Settings(width=8, depth=1), info, jnp.float32, {}), single),
        ("converter", ConverterPhase(ConverterPhase.Settings(width=converter_width), info, jnp.float32, {}), batch),
    ):
        earlier[name] = Finished(method, jax.jit(method.init)(jax.random.key(5), example))
    method = LandmarksPhase(LandmarksPhase.Settings(width=width, discriminator_width=2), info, jnp.float32, earlier)
    return LandmarkGAN(info, method, jax.jit(method.init)(jax.random.key(7), batch))


@contextlib.contextmanager
def served(landmarks=None, expression=None, token=""):
    """The page's address while its server runs, with the studios of its tabs."""
    guard = Guard("127.0.0.1", token)
    listener = socket.create_server(("127.0.0.1", 0))
    running = uvicorn.Server(server.configuration(server.Studios(landmarks, expression), guard))
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    try:
        while not running.started and thread.is_alive():
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        running.should_exit = True
        thread.join()
        listener.close()


@contextlib.contextmanager
def browser():
    """Headless Chromium; a test that needs it is skipped where it is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is not installed")
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(FLAGS))
        yield opened
        opened.close()


def opened(page, address):
    """A page that shows its first face."""
    page.goto(address)
    return settled(page)


def settled(page):
    """The page, once the last image that it asked for is there."""
    shown = None
    while shown != (shown := page.locator("#timing[data-id][aria-busy=false]").get_attribute("data-id")):
        page.wait_for_timeout(100)
    return page


@contextlib.contextmanager
def flawless(page):
    """The page; asserts at the end that it threw no error and broke no security policy."""
    page.set_default_timeout(120_000)  # milliseconds, for a machine that is busy
    faults = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Security" in line.text else None)
    yield page
    page.close()
    assert faults == []


def check_layout(page, controls):
    """Asserts that nothing overflows sideways, and that buttons, inputs and `controls` have names."""
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] == wide[1]
    for control in page.locator(f"button:visible, input:visible, {controls}").all():
        name = control.evaluate("e => e.ariaLabel || e.labels?.[0]?.textContent || e.textContent")
        assert name.strip()


def place(page, point):
    """Where a landmark in [0, 1] of the image is on the screen, in pixels: x, y; and the width of the canvas."""
    box = page.locator("#canvas").bounding_box()
    across, down = map(float, point)
    x, y = (box["x"] + (across + 0.07) / 1.14 * box["width"], box["y"] + (down + 0.07) / 1.14 * box["height"])
    return x, y, box["width"]


def dragged(page, point, way=(40, 12)):
    """The page after a drag, once the last image that it asked for is there."""
    for _ in drag(page, point, way):
        page.wait_for_timeout(10)
    return settled(page)


def slide(page, name, value):
    """The page once it shows the image of a slider's value."""
    page.locator(f"#{name}").fill(str(value))
    return settled(page)


def says(page, text):
    """Waits until a status line has this text; True, for an assert."""
    page.get_by_role("status").filter(has_text=text).wait_for()
    return True


def drag(page, point, way, steps=8):
    """Drags a landmark by `way` pixels of the screen, along its own; `point` is in [0, 1] of the image."""
    x, y, _ = place(page, point)
    page.mouse.move(x, y)
    page.mouse.down()
    for i in range(1, steps + 1):
        page.mouse.move(x + way[0] * i / steps, y + way[1] * i / steps)
        yield i
    page.mouse.up()


def studio(model, landmarks):
    """What the server works with on the tab "Landmarks"."""
    return Studio.of(model, "small", landmarks)


@functools.cache
def expression_studio(size=64):
    """What the server works with on the tab "Expression": a DFT-Net of tiny width with random weights, compiled.

    Its heads, which start as zero, are drawn too: so it changes faces, their colors more than their shape.
    """
    info = FaceInfo(IBUG68, size, ("ada",))
    settings = EditorPhase.Settings(width=4, blocks=1, discriminator_width=4)
    method = EditorPhase(settings, info, jnp.float32, {})
    state = jax.jit(method.init)(jax.random.key(3), {})
    heads = dict(state.ema["generator"])
    for i, (name, scale) in enumerate({"flow_attention": [0.02, 0.02, 4.0], "texture": [1.0, 1.0, 1.0]}.items()):
        drawn = jax.random.normal(jax.random.key(i), heads[name]["kernel"].shape)
        heads[name] = {"kernel": jnp.reshape(jnp.array(scale), (1, 1, 1, 3)) * drawn}
    state = state.replace(ema={"generator": heads})
    landmarks = (0.5 + (MEAN_FACE - 0.5) * 0.86).astype(np.float32)
    model, blank = DFTNet(info, method, state), np.zeros((1, size, size, 3), np.float32)
    model.edit(blank, model.estimate(blank))
    return ExpressionStudio(model, "small", {"ada": landmarks[None]})
