"""One open page each: its requests wait in lanes where the newest replaces those before it."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from lgan_jax.apps.driving import FaceReader, Located
from lgan_jax.apps.edit import photos, protocol
from lgan_jax.apps.edit.studio import Studio
from lgan_jax.data import images
from lgan_jax.faces import Faces

Send = Callable[[bytes], Awaitable[None]]
_LOG = logging.getLogger(__name__)
_QUALITY = 92  # of JPEG, for pages that are not on this machine


@dataclasses.dataclass(frozen=True)
class Workers:
    """The threads that work for all pages: one runs the networks, one looks for faces."""

    network: ThreadPoolExecutor = dataclasses.field(default_factory=lambda: ThreadPoolExecutor(1, "network"))
    faces: ThreadPoolExecutor = dataclasses.field(default_factory=lambda: ThreadPoolExecutor(1, "faces"))


async def in_thread(executor: ThreadPoolExecutor, work: Callable, *arguments: Any) -> Any:
    """The result of `work(*arguments)`, called by `executor`."""
    return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)


class Lane:
    """Requests of one kind from one page.

    One is worked on at a time, and at most one waits: the newest. With one place for each page in the queue of the
    worker, which takes what is then the newest, pages are served in turn, however fast they ask.
    """

    def __init__(self, answer: Callable[[Callable[[], Any]], Awaitable[bytes | None]], send: Send) -> None:
        """`answer(take)` works on `take()`, the newest request when its turn comes, and returns the frame to send."""
        self._answer, self._send = answer, send
        self._newest: collections.deque = collections.deque(maxlen=1)
        self._waiting = asyncio.Event()

    def ask(self, request: Any) -> None:
        """Puts a request in the place of one that waits."""
        self._newest.append(request)
        self._waiting.set()

    async def serve(self) -> None:
        """Answers for as long as the page is open."""
        while True:
            await self._waiting.wait()
            self._waiting.clear()
            if self._newest:  # else it went with the one before
                answer = await guarded(self._answer(self._newest.pop))
                await self._send(answer)


async def guarded(answer: Awaitable[bytes]) -> bytes:
    """The answer, or an error frame in its place: whatever happens to one request, the server goes on."""
    try:
        return await answer
    except (ValueError, ImportError, OSError) as error:
        return failure(str(error))
    except Exception:
        _LOG.exception("a request failed")
        return failure("the server failed at this; its terminal says why")


def failure(message: str) -> bytes:
    """An error frame: one line."""
    return protocol.pack({"kind": "error", "message": " ".join(message.split())})


class Client:
    """What one page asks, and the answers."""

    def __init__(self, studio: Studio, workers: Workers, faces: Faces, send: Send) -> None:
        self._studio, self._workers, self._faces, self._send = studio, workers, faces, send
        self._reader: FaceReader | None = None
        self.lanes = {"render": Lane(self._render, send), "camera": Lane(self._camera, send)}

    async def hear(self, frame: bytes | None) -> None:
        """Takes one message from the socket (None: a text, which no page sends); what is no request is answered."""
        try:
            if frame is None:
                raise ValueError("only binary frames are understood here")
            header, payload = protocol.unpack(frame)
            lane = self.lanes.get(str(header.get("kind")))
            if lane is None:
                raise ValueError(f"kind must be one of {', '.join(self.lanes)}")
            lane.ask((protocol.number(header), header, payload))
        except ValueError as error:
            await self._send(failure(str(error)))

    async def _render(self, take: Callable[[], Any]) -> bytes:
        def work() -> bytes:
            number, header, payload = take()
            return rendered(self._studio, number, header, payload)

        return await in_thread(self._workers.network, work)

    async def _camera(self, take: Callable[[], Any]) -> bytes:
        def locate() -> tuple[int, Located | None]:
            number, _, payload = take()
            if self._reader is None:
                self._reader = FaceReader(self._studio.model, self._studio.known, faces=self._faces)
            return number, self._reader.locate(photos.decode(payload))

        number, located = await in_thread(self._workers.faces, locate)
        if located is None:
            return protocol.pack({"kind": "no_face", "id": number})
        points = await in_thread(self._workers.network, self._reader.points, [located])
        return protocol.pack({"kind": "face", "id": number}, points[0].astype("<f4").tobytes())


def rendered(studio: Studio, number: int, header: Mapping[str, Any], payload: bytes) -> bytes:
    """The answer to a request for pictures. Raises `ValueError`, one line, for what is none."""
    info = studio.model.info
    look, encoding = protocol.look(header, info), protocol.encoding(header)
    (landmarks,) = protocol.landmark_sets(payload, info)
    made = studio.make(landmarks, look)
    if encoding == "raw":
        opaque = np.full((*made.pictures.shape[:3], 1), 255, np.uint8)
        encoded = [np.concatenate([made.pictures, opaque], -1).tobytes()]
        sizes = [info.size**2 * 4] * len(made.pictures)
    else:
        encoded = [images.encode_jpeg(picture, _QUALITY) for picture in made.pictures]
        sizes = [len(data) for data in encoded]
    answer = {
        "kind": "picture",
        "id": number,
        "people": list(look.people),
        "encoding": encoding,
        "sizes": sizes,
        "distance": round(studio.coverage.distance(landmarks), 4),
        "network_ms": round(made.seconds * 1000, 3),
    }
    return protocol.pack(answer, made.landmarks.astype("<f4").tobytes(), *encoded)
