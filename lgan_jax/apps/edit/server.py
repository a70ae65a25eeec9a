"""The page's server: static files, one socket for each page, uploads and exports."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from lgan_jax.apps.driving import FaceReader, Seen
from lgan_jax.apps.edit import clients, photos, protocol, shapes
from lgan_jax.apps.edit.clients import Client, Workers, in_thread
from lgan_jax.apps.edit.guard import HEADERS, Guard
from lgan_jax.apps.edit.studio import Studio
from lgan_jax.data import images
from lgan_jax.faces import Faces

_MOST_MESSAGE = 4 * 2**20  # bytes of one message on the socket
_MOST_EXPORT = 2**20
_STATIC = Path(__file__).with_name("static")
_DEPARTED = (WebSocketDisconnect, RuntimeError)  # Starlette's, on sending to a page that was closed


def application(studio: Studio, guard: Guard) -> ASGIApp:
    """The page as an ASGI application."""
    rooms = _Rooms(studio)
    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/run", rooms.about),
            Route("/photo", rooms.photo, methods=["POST"]),
            Route("/export/{kind}", rooms.export, methods=["POST"]),
            WebSocketRoute("/socket", rooms.socket),
            Mount("/static", StaticFiles(directory=_STATIC)),
        ]
    )
    return _Guarded(app, guard)


def configuration(studio: Studio, guard: Guard) -> uvicorn.Config:
    """How the page is served: quietly, with sockets that send at once and pictures uncompressed."""
    return uvicorn.Config(
        application(studio, guard),
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="websockets-sansio",
        ws_max_size=_MOST_MESSAGE,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )


class _Guarded:
    """Refuses what `guard` refuses, and adds the headers that keep the page to itself."""

    def __init__(self, app: ASGIApp, guard: Guard) -> None:
        self._app, self._guard = app, guard

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Any) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        refusal = self._refusal(scope)
        if not refusal:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await WebSocket(scope, receive, send).send_denial_response(PlainTextResponse(refusal, 403))
        else:
            await PlainTextResponse(refusal, 403)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> str:
        headers, token = Headers(scope=scope), QueryParams(scope["query_string"]).get("token", "")
        if scope["path"].startswith("/static/"):  # the same for everybody
            token = self._guard.token
        from_page = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        return self._guard.refusal(headers, token, same_origin=from_page)


def _index(request: Request) -> Response:
    return FileResponse(_STATIC / "index.html")


def _clear(answer: Callable[..., Awaitable[Response]]) -> Callable[..., Awaitable[Response]]:
    """What a user can mend becomes one line of text."""

    @functools.wraps(answer)
    async def answered(rooms: _Rooms, request: Request) -> Response:
        try:
            return await answer(rooms, request)
        except (ValueError, ImportError, OSError) as error:
            status = 413 if isinstance(error, photos.TooLarge) else 400
            closing = {"Connection": "close"}  # what is left of an upload is not waited for
            return PlainTextResponse(" ".join(str(error).split()), status, closing)

    return answered


class _Rooms:
    """What the page asks for, answered by one studio."""

    def __init__(self, studio: Studio) -> None:
        self._studio, self._workers, self._faces = studio, Workers(), Faces()
        self._reader = FaceReader(studio.model, studio.known, faces=self._faces)

    def about(self, request: Request) -> Response:
        """What the page must know of the run."""
        return JSONResponse(about(self._studio))

    @_clear
    async def photo(self, request: Request) -> Response:
        """Landmarks and the aligned crop of the face in an uploaded photo."""
        data = await photos.body(request.headers, request.stream())
        seen = await in_thread(self._workers.faces, self._read, data)
        if seen is None:
            raise ValueError("no face is found in this photo; try one that shows it larger and from the front")
        crop = images.encode_jpeg(seen.crop)
        frame = protocol.pack({"kind": "face"}, seen.landmarks.astype("<f4").tobytes(), crop)
        return Response(frame, media_type="application/octet-stream")

    def _read(self, data: bytes) -> Seen | None:
        self._reader.reset()
        return self._reader.read(photos.decode(data))

    @_clear
    async def export(self, request: Request) -> Response:
        """A picture, or a sheet or film of several edits, as a file that says what made it."""
        header, payload = protocol.unpack(await photos.body(request.headers, request.stream(), _MOST_EXPORT))
        info, network = self._studio.model.info, self._workers.network
        look, kind = protocol.look(header, info), request.path_params["kind"]
        if kind == "picture":
            (landmarks,) = protocol.landmark_sets(payload, info)
            return Response(await in_thread(network, self._studio.png, landmarks, look), media_type="image/png")
        edits = protocol.landmark_sets(payload, info, protocol.MOST_FRAMES)
        loop = asyncio.get_running_loop()

        def make(points: np.ndarray) -> np.ndarray:  # each in its turn, so that other pages are not kept waiting
            made = asyncio.run_coroutine_threadsafe(in_thread(network, self._studio.make, points, look), loop)
            return made.result().pictures

        if kind == "sheet":
            return Response(await asyncio.to_thread(self._studio.sheet, edits, look, make), media_type="image/png")
        if kind == "video":
            return Response(await asyncio.to_thread(self._studio.video, edits, make), media_type="video/mp4")
        raise ValueError(f"there is no export {kind!r}; there are picture, sheet and video")

    async def socket(self, websocket: WebSocket) -> None:
        """Hears one page until it is closed."""
        await websocket.accept()
        client = Client(self._studio, self._workers, self._faces, websocket.send_bytes)
        serving = [asyncio.create_task(_until_closed(lane)) for lane in client.lanes.values()]
        try:
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                await client.hear(message.get("bytes"))
        except _DEPARTED:
            return
        finally:
            for task in serving:
                task.cancel()


async def _until_closed(lane: clients.Lane) -> None:
    try:
        await lane.serve()
    except _DEPARTED:
        return


def about(studio: Studio) -> Mapping[str, Any]:
    """What the page must know of the run, as JSON holds it."""
    info = studio.model.info
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
        "most_bytes": photos.MOST_BYTES,
    }
