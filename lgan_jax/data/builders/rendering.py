"""Renders built-in faces in one process per core.

The processes are started by `subprocess`, since forking is unsafe once JAX runs, and `multiprocessing` would import the
user's script again. Each process renders every n-th image and sends it through its standard output.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence

import cv2

from lgan_jax.data import synthetic
from lgan_jax.data.builders.base import Record
from lgan_jax.media import images

_WORTH = 150  # images; fewer are rendered before another process has started


def rendered(settings: synthetic.Settings, size: int, order: Sequence[tuple[str, int]]) -> Iterator[tuple[str, Record]]:
    """Yields (split, record) of each (split, index), in order; a record's image is PNG bytes.

    Raises `RuntimeError` where a process fails; its message is on standard error.
    """
    count = min(os.cpu_count() or 1, len(order) // _WORTH)
    if count < 2:
        yield from (_record(settings, size, *each) for each in order)
        return
    workers = [_start((settings, size, order[first::count])) for first in range(count)]
    try:
        for place in range(len(order)):
            yield _receive(workers[place % count])
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()


def _record(settings: synthetic.Settings, size: int, split: str, index: int) -> tuple[str, Record]:
    image = synthetic.draw(synthetic.sample(settings, split, index), size)
    return split, image | {"image": images.encode_png(image["image"])}


def _start(task: tuple) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", f"from {__name__} import work; work()"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    pickle.dump(task, worker.stdin)
    worker.stdin.close()
    worker.stdin = None  # `communicate` would flush it
    return worker


def _receive(worker: subprocess.Popen) -> tuple[str, Record]:
    try:
        return pickle.load(worker.stdout)
    except EOFError:
        raise RuntimeError(f"a process that renders faces ended early, with status {worker.wait()}") from None


def work() -> None:
    """Main function of a process: reads its task from standard input, then renders and sends its images."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    cv2.setNumThreads(1)
    settings, size, order = pickle.load(sys.stdin.buffer)
    try:
        for each in order:
            pickle.dump(_record(settings, size, *each), sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # the parent process has ended
