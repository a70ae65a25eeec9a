"""One open page each: its requests wait in lanes where the newest replaces those before it."""

from __future__ import annotations

import asyncio
import collections
import dataclasses
import logging
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from lgan_jax.apps.edit import protocol
from lgan_jax.faces import Faces

Send = Callable[[bytes], Awaitable[None]]
Answer = Callable[[Callable[[], Any]], Awaitable[bytes]]
UPLOADS = 4  # at a time
_LOG = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Workers:
    """The threads that work for all pages: `network` runs the networks, `faces` detects faces with `seeing`.

    `uploads` limits how many requests with a body are held in memory at a time; others wait, unread.
    """

    network: ThreadPoolExecutor = dataclasses.field(default_factory=lambda: ThreadPoolExecutor(1, "network"))
    faces: ThreadPoolExecutor = dataclasses.field(default_factory=lambda: ThreadPoolExecutor(1, "faces"))
    seeing: Faces = dataclasses.field(default_factory=Faces)
    uploads: asyncio.Semaphore = dataclasses.field(default_factory=lambda: asyncio.Semaphore(UPLOADS))


async def in_thread(executor: ThreadPoolExecutor, work: Callable, *arguments: Any) -> Any:
    """The result of `work(*arguments)`, called by `executor`."""
    return await asyncio.get_running_loop().run_in_executor(executor, work, *arguments)


class Lane:
    """Requests of one kind from one page.

    One is worked on at a time, and at most one waits: the newest. With one place for each page in the queue of the
    worker, which takes what is then the newest, pages are served in turn, however fast they ask.
    """

    def __init__(self, kind: str, answer: Answer, send: Send) -> None:
        """`answer(take)` works on `take()`, the newest request when its turn comes, and returns the frame to send."""
        self._kind, self._answer, self._send = kind, answer, send
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
                answer = await guarded(self._answer(self._newest.pop), self._kind)
                await self._send(answer)


async def guarded(answer: Awaitable[bytes], kind: str) -> bytes:
    """The answer, or an error frame in its place: whatever happens to one request, the server goes on.

    `kind` is the request's.
    """
    try:
        return await answer
    except (ValueError, ImportError, OSError) as error:
        return failure(str(error), kind)
    except Exception:
        _LOG.exception("a request failed")
        return failure("the server failed at this; its terminal says why", kind)


def failure(message: str, kind: str | None = None) -> bytes:
    """An error frame: one line, and the kind of the request that failed, where it was one."""
    return protocol.pack({"kind": "error", "of": kind, "message": " ".join(message.split())})


class Client:
    """What one page asks, and the answers."""

    def __init__(self, answers: Mapping[str, Answer], send: Send) -> None:
        """`answers` has what answers each kind of request; see `Lane`."""
        self._send = send
        self.lanes = {kind: Lane(kind, answer, send) for kind, answer in answers.items()}

    async def hear(self, frame: bytes | None) -> None:
        """Takes a message from the socket (None: a text, which no page sends); answers an invalid one with an error."""
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
