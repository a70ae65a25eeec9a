"""The tab "Landmarks": takes landmarks, answers with faces that a LandmarkGAN generates from them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lgan_jax.apps.edit import photos, protocol, shapes
from lgan_jax.apps.edit.clients import Answer, Workers, in_thread
from lgan_jax.apps.edit.replies import clear, framed
from lgan_jax.apps.edit.studio import Studio
from lgan_jax.apps.shared.face_reader import FaceReader, Located, Seen
from lgan_jax.media import images

_MOST_EXPORT = 2**20
_QUALITY = 92  # of JPEG, for pages that are not on this machine


class LandmarkTab:
    """Answers the requests of pages with one studio."""

    def __init__(self, studio: Studio, workers: Workers) -> None:
        self._studio, self.workers = studio, workers
        self._reader = self._new_reader()
        self.routes = [
            Route("/photo", self.photo, methods=["POST"]),
            Route("/export/{kind}", self.export, methods=["POST"]),
        ]

    def _new_reader(self) -> FaceReader:
        return FaceReader(self._studio.model, self._studio.framing, faces=self.workers.seeing)

    def about(self) -> Mapping[str, Any]:
        """The run's description for the page, as JSON."""
        studio, info = self._studio, self._studio.model.info
        scheme = info.scheme
        return {
            "run": studio.name,
            "scheme": scheme.name,
            "size": info.size,
            "identities": list(info.identities),
            "groups": {name: list(members) for name, members in scheme.groups.items()},
            "closed": sorted(scheme.closed),
            "mirror": list(scheme.mirror),
            "resting": shapes.resting(studio.known).ravel().tolist(),
            "sliders": [
                {"name": s.name, "direction": s.direction.ravel().tolist(), "least": s.least, "most": s.most}
                for s in studio.sliders
            ],
            "most_frames": protocol.MOST_FRAMES,
            "constraint": float(studio.model.constraint),
        }

    def enter(self, session: str) -> Mapping[str, Answer]:
        """The handlers of a new page's requests."""
        reader = self._new_reader()

        async def render(take: Callable[[], Any]) -> bytes:
            return await in_thread(self.workers.network, lambda: rendered(self._studio, *take()))

        async def camera(take: Callable[[], Any]) -> bytes:
            def locate() -> tuple[int, Located | None]:
                number, _, payload = take()
                return number, reader.locate(photos.decode(payload))

            number, located = await in_thread(self.workers.faces, locate)
            if located is None:
                return protocol.pack({"kind": "no_face", "id": number})
            points = await in_thread(self.workers.network, reader.points, [located])
            return protocol.pack({"kind": "face", "id": number}, points[0].astype("<f4").tobytes())

        return {"render": render, "camera": camera}

    def leave(self, session: str) -> None:
        """Does nothing: no state is stored for a page."""

    @clear
    async def photo(self, request: Request) -> Response:
        """Landmarks and the aligned crop of the face in an uploaded photo."""
        data = await photos.body(request.headers, request.stream())
        seen = await in_thread(self.workers.faces, self._read, data)
        if seen is None:
            raise ValueError("no face is detected in this photo; try one that shows it larger and from the front")
        return framed({"kind": "face"}, seen.landmarks.astype("<f4").tobytes(), images.encode_jpeg(seen.crop))

    def _read(self, data: bytes) -> Seen | None:
        self._reader.reset()
        return self._reader.read(photos.decode(data))

    @clear
    async def export(self, request: Request) -> Response:
        """An image, or an image grid or video of several edits, as a file with provenance metadata."""
        header, payload = protocol.unpack(await photos.body(request.headers, request.stream(), _MOST_EXPORT))
        info, network = self._studio.model.info, self.workers.network
        look, kind = protocol.look(header, info), request.path_params["kind"]
        if kind == "image":
            (landmarks,) = protocol.landmark_sets(payload, info)
            return Response(await in_thread(network, self._studio.png, landmarks, look), media_type="image/png")
        edits = protocol.landmark_sets(payload, info, protocol.MOST_FRAMES)
        loop = asyncio.get_running_loop()

        def make(points: np.ndarray) -> np.ndarray:  # each in its turn, so that other pages do not wait
            generated = asyncio.run_coroutine_threadsafe(in_thread(network, self._studio.make, points, look), loop)
            return generated.result().images

        if kind == "grid":
            return Response(await asyncio.to_thread(self._studio.grid, edits, look, make), media_type="image/png")
        if kind == "video":
            return Response(await asyncio.to_thread(self._studio.video, edits, make), media_type="video/mp4")
        raise ValueError(f"there is no export {kind!r}; there are image, grid and video")


def rendered(studio: Studio, number: int, header: Mapping[str, Any], payload: bytes) -> bytes:
    """The answer to a request for images. Raises `ValueError`, one line, for a malformed request."""
    info = studio.model.info
    look, encoding = protocol.look(header, info), protocol.encoding(header)
    (landmarks,) = protocol.landmark_sets(payload, info)
    generated = studio.make(landmarks, look)
    if encoding == "raw":
        opaque = np.full((*generated.images.shape[:3], 1), 255, np.uint8)
        encoded = [np.concatenate([generated.images, opaque], -1).tobytes()]
        sizes = [info.size**2 * 4] * len(generated.images)
    else:
        encoded = [images.encode_jpeg(image, _QUALITY) for image in generated.images]
        sizes = [len(data) for data in encoded]
    answer = {
        "kind": "image",
        "id": number,
        "people": list(look.people),
        "encoding": encoding,
        "sizes": sizes,
        "distance": round(studio.coverage.distance(landmarks), 4),
        "clamped": [round(float(share), 4) for share in generated.clamped],
        "network_ms": round(generated.seconds * 1000, 3),
    }
    return protocol.pack(answer, generated.landmarks.astype("<f4").tobytes(), *encoded)
