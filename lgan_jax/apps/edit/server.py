"""The page's server: static files, one socket for each page, uploads and exports."""

from __future__ import annotations

import asyncio
import collections
import functools
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from lgan_jax.apps.edit import photos, protocol
from lgan_jax.apps.edit.clients import Answer, Client, Lane, Workers
from lgan_jax.apps.edit.connections import Connection, Door, Socket, log_sparingly
from lgan_jax.apps.edit.expression_studio import ExpressionStudio
from lgan_jax.apps.edit.expression_tab import ExpressionTab
from lgan_jax.apps.edit.guard import HEADERS, Guard
from lgan_jax.apps.edit.landmark_tab import LandmarkTab
from lgan_jax.apps.edit.studio import Studio

_MOST_MESSAGE = 4 * 2**20  # bytes of one message on the socket
_MOST_PAGES = 48  # that are open at a time
_POLICY = 1008  # the code with which a socket is closed that is refused
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
        """The run's description for the page, as JSON."""

    def enter(self, session: str) -> Mapping[str, Answer]:
        """A page was opened: returns the handlers of its requests, by kind. `session` is known to that page alone."""

    def leave(self, session: str) -> None:
        """The page was closed."""


class Studios(NamedTuple):
    """The studio of each tab; None where there is no run for it."""

    landmarks: Studio | None = None
    expression: ExpressionStudio | None = None


def application(studios: Studios, guard: Guard, door: Door) -> ASGIApp:
    """The page as an ASGI application; whoever `guard` lets pass does not wait at the `door` any more."""
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
    return _Guarded(app, guard, door)


def configuration(studios: Studios, guard: Guard) -> uvicorn.Config:
    """How the page is served: quietly, with sockets that send at once and images uncompressed.

    No header names the server's software, and none that a proxy could set is believed.
    """
    door = Door()
    log_sparingly()
    return uvicorn.Config(
        application(studios, guard, door),
        http=functools.partial(Connection, door),
        ws=functools.partial(Socket, door),
        headers=list(HEADERS.items()),
        server_header=False,
        proxy_headers=False,
        log_config=None,
        log_level="error",
        access_log=False,
        lifespan="off",
        ws_max_size=_MOST_MESSAGE,
        ws_per_message_deflate=False,
        timeout_graceful_shutdown=1,
    )


class _Guarded:
    """Refuses what `guard` refuses. A socket gets the reason and is closed: a page sees no reason without one."""

    def __init__(self, app: ASGIApp, guard: Guard, door: Door) -> None:
        self._app, self._guard, self._door = app, guard, door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = self._refusal(scope)
        if not refusal:
            self._door.leave(scope["client"])
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            websocket = WebSocket(scope, receive, send)
            await websocket.accept()
            await refuse(websocket, refusal)
        else:
            await PlainTextResponse(refusal, 403, {"Connection": "close"})(scope, receive, send)

    def _refusal(self, scope: Scope) -> str:
        if scope["path"].startswith("/static/"):  # the same for every visitor
            return ""
        if (
            scope["path"] == "/" and not self._guard.token
        ):  # likewise: the page then shows why its other requests are refused
            return ""
        headers, token = Headers(scope=scope), QueryParams(scope["query_string"]).get("token", "")
        from_page = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        return self._guard.refusal(headers, token, same_origin=from_page)


async def refuse(websocket: WebSocket, why: str) -> None:
    """Tells a page why its socket is closed, and closes it."""
    await websocket.send_bytes(protocol.pack({"kind": "refused", "message": why}))
    await websocket.close(_POLICY)


def _index(request: Request) -> Response:
    return FileResponse(_STATIC / "index.html")


class _Pages:
    """The pages that are open, and the tabs that they show."""

    def __init__(self, tabs: Mapping[str, Tab]) -> None:
        self._tabs, self._open = tabs, 0

    def about(self, request: Request) -> Response:
        """The description of each tab's run; null for a tab without one."""
        about = {name: self._tabs[name].about() if name in self._tabs else None for name in Studios._fields}
        return JSONResponse({**about, "most_bytes": photos.MOST_BYTES})

    async def socket(self, websocket: WebSocket) -> None:
        """Hears one page until it is closed."""
        await websocket.accept()
        if self._open >= _MOST_PAGES:
            await refuse(websocket, f"{_MOST_PAGES} pages are open, which is the most that can be; close one first")
            return
        session = secrets.token_urlsafe(24)
        entered = [tab.enter(session) for tab in self._tabs.values()]
        client = Client(dict(collections.ChainMap(*entered)), websocket.send_bytes)
        self._open += 1
        serving = [asyncio.create_task(_until_closed(lane)) for lane in client.lanes.values()]
        try:
            await websocket.send_bytes(protocol.pack({"kind": "welcome", "session": session}))
            while (message := await websocket.receive())["type"] != "websocket.disconnect":
                await client.hear(message.get("bytes"))
        except _DEPARTED:
            return
        finally:
            self._open -= 1
            for task in serving:
                task.cancel()
            for tab in self._tabs.values():
                tab.leave(session)


async def _until_closed(lane: Lane) -> None:
    try:
        await lane.serve()
    except _DEPARTED:
        return
