"""The training loop of all methods: trains the phases of a run in order."""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import functools
import math
import os
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console

from lgan_jax import compilation
from lgan_jax.core import Batch, Finished, Metrics
from lgan_jax.training import machine, parallel
from lgan_jax.training.checkpoints import Checkpoints
from lgan_jax.training.interrupts import Interrupts, Stopped
from lgan_jax.training.logs import Log, means
from lgan_jax.training.logs.progress import Pace
from lgan_jax.training.phase import HostBatch, PhaseRun, as_arrays
from lgan_jax.training.train_state import TrainState, parameter_counts
from lgan_jax.training.workdir import open_run

_AHEAD = 2  # steps that the host may run ahead of the devices


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of the training loop; all intervals in steps.

    `keep`: number of a phase's newest checkpoints to retain. `profile`: the first and last step of every phase that
    `jax.profiler` records into the run's folder; none by default.
    """

    seed: int = 0
    log_every: int = 100
    eval_every: int = 1000
    images_every: int = 1000
    checkpoint_every: int = 1000
    keep: int = 2
    profile: tuple[int, ...] = ()

    def __post_init__(self):
        for name in ("log_every", "eval_every", "images_every", "checkpoint_every", "keep"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, not {getattr(self, name)}")
        if len(self.profile) not in (0, 2):
            raise ValueError(f"profile must name a first and a last step, not {self.profile}")
        if self.profile and not 1 <= self.profile[0] <= self.profile[1]:
            raise ValueError(f"profile is {self.profile}; the first step is 1, and the last is not before the first")


def run(
    phases: Sequence[PhaseRun],
    workdir: str | os.PathLike,
    settings: Settings,
    record: Mapping[str, Any],
    notes: Sequence[str] = (),
) -> dict[str, Finished]:
    """Trains the phases in order and returns their finished states, by name.

    Another call with the same arguments resumes the run: finished phases are restored, an unfinished phase continues
    from its newest checkpoint and data position, and a finished run only prints that it is finished. `record` must be
    equal then (see `workdir.open_run`); `notes` are lines to print at the start.

    Raises `Stopped` after SIGTERM, SIGHUP or Ctrl-C, with everything saved; `FloatingPointError` for a
    non-finite metric; `OSError` where the disk is full; `ValueError` or `FileExistsError` for a folder of another run
    or of other files.
    """
    compilation.use_cache()
    workdir = open_run(workdir, record)
    console = Console(quiet=not parallel.is_first())
    for line in [*machine.devices(), *notes]:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    finished: dict[str, Finished] = {}
    with Interrupts() as interrupts:
        for phase in phases:
            with Checkpoints(workdir, phase.name, settings.keep) as checkpoints:
                before = sum(earlier.steps for earlier in phases[: len(finished)])
                training = _Training(phase, finished, settings, checkpoints, interrupts, before)
                finished[phase.name] = Finished(training.phase, training.run(workdir, record, console))
    return finished


class _Training:
    """Training of one phase: its compiled functions, its data and the metrics since the last log line."""

    def __init__(
        self,
        phase_run: PhaseRun,
        earlier: Mapping[str, Finished],
        settings: Settings,
        checkpoints: Checkpoints,
        interrupts: Interrupts,
        steps_before: int,
    ):
        self.phase_run, self.settings, self.phase = phase_run, settings, phase_run.build(earlier)
        self.checkpoints, self.interrupts, self.steps_before = checkpoints, interrupts, steps_before
        self.checkpoint_every = 1 if self.phase.host_step else settings.checkpoint_every
        spread = parallel.on_host if self.phase.host_step else parallel.spread
        self.identities = self.phase.faces.identities if self.phase.worst else ()
        self.compiled: set[Any] = set()  # step variants with a compiled program
        self.train_step = functools.cache(lambda variant: spread(functools.partial(self._step, variant=variant)))
        self.eval_step = parallel.on_one_device(self.phase.eval_step)
        self.sample_images = parallel.on_one_device(self.phase.sample_images)
        self.underway: collections.deque[tuple[int, Any]] = collections.deque()
        self.measured: list[dict[str, float]] = []
        images = phase_run.example["image"].shape[1:-3]
        self.pace = Pace(phase_run.batch_size * math.prod(images))

    def run(self, workdir: Path, record: Mapping[str, Any], console: Console) -> TrainState:
        """Trains the phase to its end, from the newest checkpoint."""
        phase, start = self.phase_run, self.checkpoints.newest or 0
        for line in self.checkpoints.skipped:
            console.print(f"NOTE: {line}", highlight=False, markup=False, soft_wrap=True)
        init = jax.jit(lambda seed, batch: self.phase.init(phase.keys(seed)[0], batch))
        abstract = init.eval_shape(self.settings.seed, as_arrays(phase.example))  # traced, which takes seconds, once
        if start >= phase.steps:
            console.print(f"{phase.name}: finished at step {start:,}", highlight=False)
            return jax.device_put(self.checkpoints.restore(abstract))
        if self.interrupts.signal_number is not None:
            line = f"stopped before {phase.name}; run the same command to resume"
            raise Stopped(line, self.interrupts.signal_number)
        for line in parameter_counts(abstract):
            console.print(f"{phase.name}: {line}", highlight=False)
        data = phase.batches()
        if start:
            console.print(f"{phase.name}: resumed at step {start:,}", highlight=False)
            state = parallel.replicate(self.checkpoints.restore(abstract, data))
        else:
            state = init(self.settings.seed, as_arrays(phase.example))
            if weights := phase.start():
                state = self.phase.start_from(state, weights)
            state = parallel.replicate(state)
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.checkpoints.explained(f"the logs of {phase.name}"))
            log = None
            if parallel.is_first():
                log = stack.enter_context(Log(workdir, phase.name, start, phase.steps, console))
            steps = self.settings.profile if log else ()
            profile = stack.enter_context(Profile(workdir / "profile" / phase.name, steps, self._wait))
            return self._train(state, data, start, log, record, profile)

    def _train(
        self,
        state: TrainState,
        data: Iterator,
        start: int,
        log: Log | None,
        record: Mapping[str, Any],
        profile: Profile,
    ) -> TrainState:
        seed = parallel.replicate(np.int32(self.settings.seed))
        if log and not start:
            log.sample_images(0, jax.device_get(self.sample_images(state, self.phase_run.sample_batch)))
        for step in range(start + 1, self.phase_run.steps + 1):
            profile.before(step)
            batch = parallel.shard(self._next(data, step))
            variant = self.phase.step_variant(step - 1)
            if compiles := variant not in self.compiled:
                self._pause_clock()
                self.compiled.add(variant)
            if log:
                log.doing("compiling" if compiles else "")
            try:
                state, metrics = self.train_step(variant)(state, batch, seed)
            except FloatingPointError as error:  # raised by a phase with a host step
                raise self._failure(f"{error}, at step {step}") from None
            self._pace(step, metrics, compiles)
            profile.after(step)
            if log:
                log.advance(step)
            stop = self.interrupts.requested(self.steps_before + step)
            state = self._report(step, state, log)
            if stop or self._due(step, self.checkpoint_every):
                self._measure()
                host = parallel.to_host(state)
                self.checkpoints.save(step, host, data, record)
            if stop:
                self.checkpoints.wait()
                line = f"{self.phase_run.name}: saved at step {step:,}; run the same command to resume"
                raise Stopped(line, self.interrupts.signal_number)
            self.pace.resume()
        self.checkpoints.wait()
        return jax.device_put(host)

    def _step(self, state: TrainState, batch: Batch, seed: jax.Array, variant: Hashable) -> tuple[TrainState, Metrics]:
        """One step; its PRNG key depends only on the run's seed, the phase's name and the step."""
        key = jax.random.fold_in(self.phase_run.keys(seed)[1], state.step)
        return self.phase.train_step(state, batch, key, variant)

    def _next(self, data: Iterator, step: int) -> HostBatch:
        batch = next(data, None)
        if batch is None:
            raise ValueError(f"{self.phase_run.name}: the data ended before step {step}; training batches must repeat")
        return batch

    def _pause_clock(self) -> None:
        """Stops the clock when all steps are finished, before a compilation."""
        self._wait()
        self.pace.pause()

    def _wait(self) -> None:
        """Waits until the devices have computed the dispatched steps."""
        if self.underway:
            parallel.wait(self.underway[-1][1])

    def _pace(self, step: int, metrics: Metrics, compiled: bool) -> None:
        """Lets the host prepare and send the next batches while the devices compute, at most `_AHEAD` steps ahead."""
        self.underway.append((step, metrics))
        if len(self.underway) > _AHEAD:
            parallel.wait(self.underway[-1 - _AHEAD][1])
        if compiled:
            parallel.wait(metrics)
            self.pace.resume()
        else:
            self.pace.count()

    def _due(self, step: int, every: int) -> bool:
        return step % every == 0 or step == self.phase_run.steps

    def _report(self, step: int, state: TrainState, log: Log | None) -> TrainState:
        """Logs metrics, evaluates (which may repair the state) and logs sample images, where due after this step."""
        settings = self.settings
        log_due, eval_due, images_due = (
            self._due(step, every) for every in (settings.log_every, settings.eval_every, settings.images_every)
        )
        if not (log_due or eval_due or images_due):
            return state
        self._measure()
        if log_due:
            means_of = {name: float(np.mean([values[name] for values in self.measured])) for name in self.measured[0]}
            self.measured.clear()
            if log:
                log.train(step, means_of, self.pace.lap(self.phase_run.steps - step))
        if eval_due:
            if log:
                log.doing("evaluating")
            state = self._evaluate_and_log(step, state, log)
        if images_due and log:
            log.doing("rendering sample images")
            log.sample_images(step, jax.device_get(self.sample_images(state, self.phase_run.sample_batch)))
        return state

    def _evaluate_and_log(self, step: int, state: TrainState, log: Log | None) -> TrainState:
        """Evaluates the state and logs the metrics; returns the state, repaired by the phase where needed."""
        if not (log or self.phase.recoverable):
            return state
        metrics = self._evaluate(state)
        if log:
            log.evaluation(step, metrics, self.identities, self.phase.worst)
            for warning in self.phase.warnings(means(metrics)):
                log.say(f"NOTE: {warning}")
        if not self.phase.recoverable:
            return state
        try:
            host, lines = self.phase.recover(parallel.to_host(state), parallel.from_first(metrics))
        except FloatingPointError as error:
            raise self._failure(str(error)) from None
        for line in lines:
            if log:
                log.say(line)
        return parallel.replicate(host)

    def _measure(self) -> None:
        """Waits for the dispatched steps and reads their metrics. Raises `FloatingPointError` if one is not finite."""
        steps = [step for step, _ in self.underway]
        values = parallel.to_host([metrics for _, metrics in self.underway])
        self.underway.clear()
        self.pace.pause()
        for step, metrics in zip(steps, values, strict=True):
            self.measured.append({name: float(value) for name, value in metrics.items()})
            for name, value in self.measured[-1].items():
                if not math.isfinite(value) and name not in self.phase.recoverable:
                    raise self._failure(f"{name} is {value} at step {step}")

    def _failure(self, what: str) -> FloatingPointError:
        """An error that names the checkpoint to return to."""
        self.checkpoints.wait()
        return FloatingPointError(f"{self.phase_run.name}: {what}; {self.checkpoints.newest_line()}")

    def _evaluate(self, state: TrainState) -> dict[str, np.ndarray]:
        """Means over the validation batches."""
        metrics = jax.device_get([self.eval_step(state, batch) for batch in self.phase_run.eval_batches])
        return {name: np.asarray(np.mean([batch[name] for batch in metrics], 0)) for name in metrics[0]}


class Profile:
    """Records a range of a phase's steps with `jax.profiler`, as far as the phase has them."""

    def __init__(self, folder: Path, steps: tuple[int, ...], wait: Callable[[], None]) -> None:
        """`steps` are the first and the last step, or empty; `wait` returns when all steps are computed."""
        self._folder, self._steps, self._wait, self.recording = folder, steps, wait, False

    def __enter__(self) -> Profile:
        return self

    def __exit__(self, *_: object) -> None:
        """Ends a running recording when the phase ends or is stopped."""
        self._stop()

    def before(self, step: int) -> None:
        """Call before each step: starts the recording when due."""
        if self._steps and self._steps[0] <= step <= self._steps[1] and not self.recording:
            jax.profiler.start_trace(str(self._folder))
            self.recording = True

    def after(self, step: int) -> None:
        """Call after each step: ends the recording after the last step."""
        if self._steps and step >= self._steps[1]:
            self._stop()

    def _stop(self) -> None:
        if self.recording:
            self.recording = False
            self._wait()
            jax.profiler.stop_trace()
