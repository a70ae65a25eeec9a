"""Stages that work at the same time, each in a thread, with bounded queues between them."""

from __future__ import annotations

import dataclasses
import queue
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

_LOOK = 0.1  # seconds after which a thread that waits looks whether it shall end
_END = object()


@dataclasses.dataclass
class Stage:
    """One step of the work.

    Attributes:
      name: for the report.
      work: takes an iterator over what comes in (nothing, for the first stage) and yields what goes out.
      ahead: how many of its results may wait for the next stage.
      busy: seconds that it worked, without those that it waited for others.
    """

    name: str
    work: Callable[[Iterator[Any]], Iterator[Any]]
    ahead: int = 16
    busy: float = 0.0


class Pipeline:
    """Runs stages one behind the other; iterating gives the results of the last.

    An exception in any stage ends all of them and comes out of the iteration. On leaving the `with` block every thread
    has ended.
    """

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._queues = [queue.Queue(stage.ahead) for stage in stages]
        self._stopping, self._aborted = threading.Event(), threading.Event()
        self._error: BaseException | None = None
        inputs = [None, *self._queues[:-1]]
        self._threads = [
            threading.Thread(target=self._run, args=each, name=each[0].name)
            for each in zip(stages, inputs, self._queues)
        ]

    def __enter__(self) -> Pipeline:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._aborted.set()
        for thread in self._threads:
            thread.join()

    def __iter__(self) -> Pipeline:
        return self

    def __next__(self) -> Any:
        item = self._get(self._queues[-1])
        if self._error is not None:
            raise self._error
        if item is _END:
            raise StopIteration
        return item

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopping.is_set()

    def stop(self) -> None:
        """Stops the first stage's input; work under way is finished."""
        self._stopping.set()

    def _run(self, stage: Stage, source: queue.Queue | None, sink: queue.Queue) -> None:
        begun, waited = time.perf_counter(), [0.0]
        try:
            for item in stage.work(self._taken(source, waited)):
                if self._aborted.is_set() or (source is None and self._stopping.is_set()):
                    break
                self._put(sink, item, waited)
        except BaseException as error:
            self._error = self._error or error
            self._aborted.set()
        stage.busy = time.perf_counter() - begun - waited[0]
        self._put(sink, _END, waited)

    def _taken(self, source: queue.Queue | None, waited: list[float]) -> Iterator[Any]:
        while source is not None:
            begun = time.perf_counter()
            item = self._get(source)
            waited[0] += time.perf_counter() - begun
            if item is _END:
                return
            yield item

    def _get(self, source: queue.Queue) -> Any:
        while not self._aborted.is_set():
            try:
                return source.get(timeout=_LOOK)
            except queue.Empty:
                continue
        return _END

    def _put(self, sink: queue.Queue, item: Any, waited: list[float]) -> None:
        begun = time.perf_counter()
        while not self._aborted.is_set():
            try:
                sink.put(item, timeout=_LOOK)
                break
            except queue.Full:
                continue
        waited[0] += time.perf_counter() - begun
