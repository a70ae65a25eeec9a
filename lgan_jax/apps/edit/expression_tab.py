"""The tab "Expression": a photo and action units in, the photo with its face edited by a DFT-Net out."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from lgan_jax import action_units
from lgan_jax.apps.edit import photos, protocol
from lgan_jax.apps.edit.clients import Answer, Workers, in_thread
from lgan_jax.apps.edit.expression_studio import ExpressionStudio, Portrait
from lgan_jax.apps.edit.replies import clear, framed
from lgan_jax.media import images

_MOST_EXPORT = 2**12


class ExpressionTab:
    """Answers the requests of pages with one studio. A page's photo is stored while the page is open."""

    def __init__(self, studio: ExpressionStudio, workers: Workers) -> None:
        self._studio, self.workers = studio, workers
        self._locator = studio.locator(workers.seeing)
        self._portraits: dict[str, tuple[int, Portrait] | None] = {}  # by session; each photo has a number of its own
        self._numbers = itertools.count(1)
        self.routes = [
            Route("/photo", self.photo, methods=["POST"]),
            Route("/units", self.units, methods=["POST"]),
            Route("/export", self.export, methods=["POST"]),
        ]

    def about(self) -> Mapping[str, Any]:
        """The run's description for the page, as JSON."""
        return {
            "run": self._studio.name,
            "size": self._studio.model.info.size,
            "units": [{"number": number, "name": name} for number, name in action_units.NAMES.items()],
            "expressions": [
                {"name": name, "units": action_units.expression_units(name).tolist()}
                for name in action_units.EXPRESSIONS
            ],
        }

    def enter(self, session: str) -> Mapping[str, Answer]:
        """The handlers of a new page's requests."""
        self._portraits[session] = None

        async def express(take: Callable[[], Any]) -> bytes:
            return await self._express(session, take)

        return {"express": express}

    def leave(self, session: str) -> None:
        """Lets go of the page's photo."""
        del self._portraits[session]

    async def _express(self, session: str, take: Callable[[], Any]) -> bytes:
        def work() -> tuple[dict[str, Any], Portrait, Any, str]:
            number, header, payload = take()
            view, units = protocol.view(header), protocol.units(payload)
            photo, portrait = self._portrait(session)
            start = time.perf_counter()
            result = self._studio.edit(portrait, units)
            spent = 1000 * (time.perf_counter() - start)
            answer = {"kind": "expression", "id": number, "photo": photo, "view": view, "network_ms": round(spent, 3)}
            return answer, portrait, result, view

        answer, *edit = await in_thread(self.workers.network, work)
        data, kind = await in_thread(self.workers.faces, self._studio.seen, *edit, self.workers.seeing)
        return protocol.pack({**answer, "type": f"image/{kind}"}, data)

    def _portrait(self, session: str) -> tuple[int, Portrait]:
        portrait = self._portraits.get(session)
        if portrait is None:
            raise ValueError("there is no photo yet: open one first")
        return portrait

    @clear
    async def photo(self, request: Request) -> Response:
        """Takes a photo for a page, and answers with the action units of its face."""
        session = request.query_params.get("session", "")
        if session not in self._portraits:
            raise ValueError("this page is not connected: reload it")
        data = await photos.body(request.headers, request.stream())
        found = await in_thread(self.workers.faces, self._studio.search, data, self._locator)
        portrait = await in_thread(self.workers.network, self._studio.portrait, found)
        number = next(self._numbers)
        if session in self._portraits:  # else the page has left
            self._portraits[session] = (number, portrait)
        header = {"kind": "portrait", "photo": number, "place": portrait.place, "faces": portrait.faces}
        return framed(header, portrait.units.astype("<f4").tobytes(), images.encode_jpeg(found.image))

    @clear
    async def units(self, request: Request) -> Response:
        """The action units of the face in another photo, which is not stored."""
        data = await photos.body(request.headers, request.stream())
        found = await in_thread(self.workers.faces, self._studio.search, data, self._locator)
        portrait = await in_thread(self.workers.network, self._studio.portrait, found)
        said = portrait.faces.replace("is edited", "is taken")
        return framed({"kind": "units", "faces": said}, portrait.units.astype("<f4").tobytes())

    @clear
    async def export(self, request: Request) -> Response:
        """The edited photo as a file with provenance metadata."""
        _, payload = protocol.unpack(await photos.body(request.headers, request.stream(), _MOST_EXPORT))
        units = protocol.units(payload)
        _, portrait = self._portrait(request.query_params.get("session", ""))
        result = await in_thread(self.workers.network, self._studio.edit, portrait, units)
        file = await in_thread(self.workers.faces, self._studio.png, portrait, result, self.workers.seeing)
        return Response(file, media_type="image/png")
