"""Draws built-in faces in as many processes as there are cores.

The processes are started afresh by `subprocess`, since forking is not safe once JAX runs, and `multiprocessing` would
import the user's script again. Each draws every n-th image and sends it through its standard output.
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

_WORTH = 150  # images; fewer are drawn before another process has started


def drawn(settings: synthetic.Settings, size: int, wanted: Sequence[tuple[str, int]]) -> Iterator[tuple[str, Record]]:
    """Yields (split, record) of the wanted (split, index) in that order; a record's image is PNG bytes.

    Raises `RuntimeError` where a process fails; its own message is on the standard error.
    """
    count = min(os.cpu_count() or 1, len(wanted) // _WORTH)
    if count < 2:
        yield from (_record(settings, size, *each) for each in wanted)
        return
    workers = [_start((settings, size, wanted[first::count])) for first in range(count)]
    try:
        for place in range(len(wanted)):
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
        raise RuntimeError(f"a process that draws faces ended early, with status {worker.wait()}") from None


def work() -> None:
    """What a process does: reads its task from standard input, then draws and sends one image after the other."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    cv2.setNumThreads(1)
    settings, size, wanted = pickle.load(sys.stdin.buffer)
    try:
        for each in wanted:
            pickle.dump(_record(settings, size, *each), sys.stdout.buffer)
            sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)  # the parent is gone; there is nobody to tell
