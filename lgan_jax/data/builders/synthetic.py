"""The built-in synthetic faces as a data set, rendered once, in one process per core, and stored as PNG.

The processes are started by `subprocess`, since forking is unsafe once JAX runs, and `multiprocessing` would import the
user's script again. Each process renders every n-th image and sends it through its standard output.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
import tensorflow_datasets as tfds

from lgan_jax import action_units
from lgan_jax.data import synthetic
from lgan_jax.data.builders import base
from lgan_jax.data.builders.base import Record
from lgan_jax.faces import align
from lgan_jax.media import images

_WORTH = 150  # images; fewer are rendered before another process has started


class Synthetic(base.FaceBuilder, skip_registration=True):
    """Images of `size` pixels a side with 98 landmarks, action units, expression, pose and gaze.

    The key changes with the settings, the size and the rendering code.
    """

    def __init__(self, settings: synthetic.Settings, size: int, cache: Path):
        self.settings = settings
        self.size = size
        digest = hashlib.sha256(repr((dataclasses.astuple(settings), size)).encode())
        for path in (
            Path(action_units.__file__),
            Path(align.__file__),
            *sorted(Path(synthetic.__file__).parent.glob("*.py")),
        ):
            digest.update(path.read_bytes())
        super().__init__(cache, f"synthetic-{digest.hexdigest()[:16]}", synthetic.names(settings), "wflw98")
        self.pairs = settings.pairs
        self.disjoint = settings.test_identities > 0

    def features(self):
        return {
            "action_units": tfds.features.Tensor(shape=(len(action_units.NUMBERS),), dtype=np.float32),
            "expression": np.int32,
            "pose": tfds.features.Tensor(shape=(3,), dtype=np.float32),
            "gaze": tfds.features.Tensor(shape=(2,), dtype=np.float32),
        }

    def records(self):
        order = [(split, index) for split in base.SPLITS for index in range(self.settings.count(split))]
        self.total = len(order)
        yield from rendered(self.settings, self.size, order)


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
