"""The page's server: static files, one socket for each page, uploads and exports."""

from __future__ import annotations

import asyncio
import collections
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from lgan_jax.apps.edit import photos, protocol
from lgan_jax.apps.edit.clients import Answer, Client, Lane, Workers
from lgan_jax.apps.edit.expression_studio import ExpressionStudio
from lgan_jax.apps.edit.expression_tab import ExpressionTab
from lgan_jax.apps.edit.guard import HEADERS, Guard
from lgan_jax.apps.edit.landmark_tab import LandmarkTab
from lgan_jax.apps.edit.studio import Studio

_MOST_MESSAGE = 4 * 2**20  # bytes of one message on the socket
_STATIC = Path(__file__).with_name("static")
_DEPARTED = (WebSocketDisconnect, RuntimeError)  # Starlette's, on sending to a page that was closed


@runtime_checkable
class Tab(Protocol):
    """One tab of the page, as the server needs it.

    Attributes:
      routes: its uploads and exports.
    """

    routes: Sequence[BaseRoute]

    def about(self) -> Mapping[str, Any]:
        """What the page must know of the run, as JSON holds it."""

    def enter(self, session: str) -> Mapping[str, Answer]:
        """A page was opened: what answers its requests, by their kind. `session` is known to that page alone."""

    def leave(self, session: str) -> None:
        """The page was closed."""


class Studios(NamedTuple):
    """What works for each tab; None where there is no run for it."""

    landmarks: Studio | None = None
    expression: ExpressionStudio | None = None


def application(studios: Studios, guard: Guard) -> ASGIApp:
    """The page as an ASGI application."""
    workers = Workers()
    tabs: dict[str, Tab] = {}
    if studios.landmarks is not None:
        tabs["landmarks"] = LandmarkTab(studios.landmarks, workers)
    if studios.expression is not None:
        tabs["expression"] = ExpressionTab(studios.expression, workers)
    pages = _Pages(tabs)
    app = Starlette(
        routes=[
            Route("/", _index),
            Route("/run", pages.about),
            WebSocketRoute("/socket", pages.socket),
            Mount("/static", StaticFiles(directory=_STATIC)),
            *(Mount(f"/{name}", routes=tab.routes) for name, tab in tabs.items()),
        ]
    )
    return _Guarded(app, guard)


def configuration(studios: Studios, guard: Guard) -> uvicorn.Config:
    """How the page is served: quietly, with sockets that send at once and pictures uncompressed."""
    return uvicorn.Config(
        application(studios, guard),
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


class _Pages:
    """The pages that are open, and the tabs that they show."""

    def __init__(self, tabs: Mapping[str, Tab]) -> None:
        self._tabs = tabs

    def about(self, request: Request) -> Response:
        """What the page must know of each tab's run; null for a tab without one."""
        told = {name: self._tabs[name].about() if name in self._tabs else None for name in Studios._fields}
        return JSONResponse({**told, "most_bytes": photos.MOST_BYTES})

    async def socket(self, websocket: WebSocket) -> None:
        """Hears one page until it is closed."""
        await websocket.accept()
        session = secrets.token_urlsafe(24)
        entered = [tab.enter(session) for tab in self._tabs.values()]
        client = Client(dict(collections.ChainMap(*entered)), websocket.send_bytes)
        serving = [asyncio.create_task(_until_closed(lane)) for lane in client.lanes.values()]
        try:
            await websocket.send_bytes(protocol.pack({"kind": "welcome", "session": session}))
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                await client.hear(message.get("bytes"))
        except _DEPARTED:
            return
        finally:
            for task in serving:
                task.cancel()
            for tab in self._tabs.values():
                tab.leave(session)


async def _until_closed(lane: Lane) -> None:
    try:
        await lane.serve()
    except _DEPARTED:
        return
