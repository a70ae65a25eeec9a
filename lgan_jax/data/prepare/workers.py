"""Prepares several people at a time, in processes: dlib works on one core.

The processes are started by `subprocess`, as in `builders.synthetic`. Each reads people from its standard input and
sends progress and results through its standard output; it ends when its input is closed, so none outlives this process.
"""

from __future__ import annotations

import collections
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
import traceback
from collections.abc import Sequence
from typing import Any, BinaryIO

import cv2

from lgan_jax import cli
from lgan_jax.data.prepare import person_report
from lgan_jax.data.prepare.output_folder import OutputFolder
from lgan_jax.data.prepare.person import prepare_person
from lgan_jax.data.prepare.sources import Person
from lgan_jax.data.prepare.units import add_units
from lgan_jax.faces import Faces
from lgan_jax.progress import Progress

_WORTH = 200  # frames; fewer are prepared before another process has started
Prepared = tuple[dict[str, Any], list[str]]  # the summary of `prepare_person`, and `person_report.two_people`


def cores() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_people(
    people: Sequence[Person], output: OutputFolder, faces: Faces | None, workers: int, progress: Progress
) -> dict[str, Prepared]:
    """Prepares people in at most `workers` processes, or in this one where others are not worth their start.

    `faces`, if given, are used in this process. What is written does not depend on the number of processes. Raises what
    preparing a person raises; `RuntimeError` where a process fails otherwise, whose message is on standard error.
    """
    frames = sum(source.frames for person in people for source in person.sources)
    count = min(workers, len(people), frames // _WORTH)
    if faces is not None or count < 2:
        faces, found = faces or Faces(), {}
        for person in people:
            progress.name(person.name)
            found[person.name] = _prepared(person, output, faces, progress)
        return found
    return _in_processes(people, output, count, progress)


def _prepared(person: Person, output: OutputFolder, faces: Faces, progress: Any) -> Prepared:
    """One person's crops, landmarks and action units from these."""
    summary, folder = prepare_person(person, output, output.options, faces, progress), output.out / person.name
    if not summary["kept"]:
        return summary, []
    if output.options.action_units == "landmarks" and not person.loose:
        add_units(folder)
    return summary, person_report.two_people(person, folder, summary, faces)


def _in_processes(
    people: Sequence[Person], output: OutputFolder, count: int, progress: Progress
) -> dict[str, Prepared]:
    longest_first = sorted(people, key=lambda person: -sum(source.frames for source in person.sources))
    waiting, under_way = collections.deque(longest_first), {}
    messages: queue.SimpleQueue = queue.SimpleQueue()
    found: dict[str, Prepared] = {}
    workers = [_Worker(output, messages) for _ in range(count)]
    try:
        idle = list(workers)
        while len(found) < len(people):
            while idle and waiting:
                worker, person = idle.pop(), waiting.popleft()
                under_way[worker] = person.name
                worker.send(person)
                progress.name(", ".join(under_way.values()))
            worker, (what, value) = messages.get()
            if what == "result":
                found[under_way.pop(worker)] = value
                idle.append(worker)
            elif what == "error":
                raise value
            else:
                getattr(progress, what)(value)
    finally:
        for worker in workers:
            worker.stop()
    return {person.name: found[person.name] for person in people}


class _Worker:
    """A process, and a thread that puts its messages, `(self, (kind, value))`, into a queue."""

    def __init__(self, output: OutputFolder, messages: queue.SimpleQueue) -> None:
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", f"from {__name__} import work; work()"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
        self._messages = messages
        self.send(output)
        threading.Thread(target=self._receive, daemon=True).start()

    def send(self, task: Any) -> None:
        """The output folder first, then people."""
        try:
            pickle.dump(task, self._process.stdin)
            self._process.stdin.flush()
        except BrokenPipeError:  # it has ended: `_receive` says so
            pass

    def stop(self) -> None:
        """Ends the process. What it has written stays, for another run to resume."""
        self._process.kill()
        self._process.wait()

    def _receive(self) -> None:
        try:
            while True:
                self._messages.put((self, pickle.load(self._process.stdout)))
        except (EOFError, pickle.UnpicklingError):
            status = self._process.wait()
            error = RuntimeError(f"a process that prepares people ended early, with status {status}")
            self._messages.put((self, ("error", error)))


class _Sent:
    """What `Progress` is in this process's parent."""

    def __init__(self, channel: BinaryIO) -> None:
        self._channel = channel

    def advance(self, count: float) -> None:
        """See `Progress`."""
        self.send("advance", count)

    def skip(self, count: float) -> None:
        """See `Progress`."""
        self.send("skip", count)

    def send(self, what: str, value: Any) -> None:
        """Sends a message."""
        pickle.dump((what, value), self._channel)
        self._channel.flush()


def work() -> None:
    """Main function of a process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides
    cv2.setNumThreads(1)
    sent, sys.stdout = _Sent(sys.stdout.buffer), sys.stderr
    tasks: queue.SimpleQueue = queue.SimpleQueue()
    threading.Thread(target=_take, args=(sys.stdin.buffer, tasks), daemon=True).start()
    output, faces = tasks.get(), Faces()
    while True:
        person = tasks.get()
        try:
            sent.send("result", _prepared(person, output, faces, sent))
        except BrokenPipeError:
            os._exit(1)  # the parent has ended
        except Exception as error:
            if cli.sentence(error) is None:  # a fault of the program
                traceback.print_exc()
                raise SystemExit(1) from None
            sent.send("error", error)


def _take(channel: BinaryIO, tasks: queue.SimpleQueue) -> None:
    """Puts tasks into a queue; ends the process when there will be none."""
    try:
        while True:
            tasks.put(pickle.load(channel))
    except EOFError:
        os._exit(1)
