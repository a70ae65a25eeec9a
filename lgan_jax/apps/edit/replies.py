"""How uploads and exports are answered over HTTP."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from lgan_jax.apps.edit import photos, protocol

Answering = Callable[[Any, Request], Awaitable[Response]]


def clear(answer: Answering) -> Answering:
    """A tab's method that answers uploads: a few at a time; a user's mistake becomes one line of text."""

    @functools.wraps(answer)
    async def answered(tab: Any, request: Request) -> Response:
        try:
            async with tab.workers.uploads:
                return await answer(tab, request)
        except (ValueError, ImportError, OSError) as error:
            status = 413 if isinstance(error, photos.TooLarge) else 400
            closing = {"Connection": "close"}  # the rest of an upload is not waited for
            return PlainTextResponse(" ".join(str(error).split()), status, closing)

    return answered


def framed(header: Mapping[str, Any], *payload: bytes) -> Response:
    """A frame as an answer."""
    return Response(protocol.pack(header, *payload), media_type="application/octet-stream")
