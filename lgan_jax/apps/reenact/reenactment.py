"""One reenactment, from its options to the written file and the printed report."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from lgan_jax import cli, experiment, locks
from lgan_jax.apps.reenact.command import Options
from lgan_jax.apps.reenact.layout import Layout, Writer, columns
from lgan_jax.apps.reenact.pipeline import Pipeline, Stage
from lgan_jax.apps.reenact.stages import Synthesizer, detect_faces
from lgan_jax.apps.shared import EVERYBODY, loading, references, sampled_frames
from lgan_jax.apps.shared.face_reader import FaceReader, Locator, Reader
from lgan_jax.apps.shared.neutral_frame import most_neutral, neutral_frame
from lgan_jax.apps.shared.training_distance import TrainingDistance
from lgan_jax.media import files, output
from lgan_jax.media.output import Output
from lgan_jax.media.source import Source, open_source
from lgan_jax.methods.landmarkgan.model import LandmarkGAN
from lgan_jax.ops import backend
from lgan_jax.progress import Progress
from lgan_jax.protocols import DrivenConverter
from lgan_jax.training import machine
from lgan_jax.training.interrupts import Interrupts

_DRIVER_FRAMES = 16  # that separate pose and expression from the shape of the driver's face
_WHOLE = 0.98  # of the frames that a video says it has; with fewer, it is cut off or damaged

Say = Callable[[str], None]


def reenact(options: Options) -> int:
    """Reenacts as `options` say; returns the exit status. Raises one-line errors for a user's mistakes."""
    source = open_source(options.driving)
    output.check(options.out, source)
    if options.relative and source.kind == "image":
        raise ValueError("--relative drives by a change over time: --driving must be a video or a folder of images")
    with locks.held(options.out, f"--out {options.out}"):
        return _reenact(options, source)


def _reenact(options: Options, source: Source) -> int:
    print(machine.device(), flush=True)
    known = framing = experiment.training_landmarks(options.workdir)
    if options.reference is None:
        model, targets = load(options.workdir, options.target)
    else:
        new = None if options.target == EVERYBODY else options.target
        model, person = references.add(opened(options.workdir), options.reference, new, framing, options.landmarks)
        print("\n".join(person.lines), flush=True)
        known = {**known, person.name: person.landmarks}
        targets = model.info.identities if options.target == EVERYBODY else (person.name,)
    reader = FaceReader(model, framing, options.landmarks)
    reader.load()
    return run(options, source, model, reader, known, targets)


def opened(workdir: Path) -> DrivenConverter:
    """The model of a run. Raises `ValueError` where it is not LandmarkGAN's."""
    return loading.load(workdir, LandmarkGAN, "is no LandmarkGAN run: it has no generator of faces")


def load(workdir: Path, target: str) -> tuple[DrivenConverter, tuple[str, ...]]:
    """The model of a run, and the identities that `target` means. Raises `ValueError` where either is not there."""
    model = opened(workdir)
    references.need(model.info, workdir)
    names = model.info.identities
    if target == EVERYBODY:
        return model, names
    name = files.named(target, names)
    if name is None:
        raise ValueError(f"--target {target!r} is not in this run; it has {', '.join(names)}, or {EVERYBODY}")
    return model, (name,)


def run(
    options: Options,
    source: Source,
    model: DrivenConverter,
    reader: Reader,
    known: Mapping[str, np.ndarray],
    targets: Sequence[str],
    say: Say = print,
) -> int:
    """Generates the faces of `targets` with a loaded model and reader, and writes them. See `reenact`."""
    shifts, scheme = None, model.info.scheme
    if options.relative:  # L_target_neutral - L_driving_neutral is added to the driving landmarks
        index, driving = neutral_frame(source, reader, scheme, options.neutral)
        say(f"neutral frame of {source.path.name}: {index}")
        shifts = {name: known[name][most_neutral(known[name], scheme)] - driving for name in targets}
    if source.kind == "video" and shifts is None and model.in_closed_form:
        model = _knowing_driver(source, model, reader, say)
    batch = 1 if source.kind == "image" else backend.forms().chunk
    steady = options.steady and batch > 1
    coverage = TrainingDistance(known) if any(len(points) > 1 for points in known.values()) else None
    driver = Synthesizer(
        model,
        reader,
        targets,
        source.time_base,
        batch,
        steady=steady,
        shifts=shifts,
        constrain=options.constraint,
        coverage=coverage,
    )
    begun = time.perf_counter()
    driver.warm_up()
    say(f"networks compiled in {time.perf_counter() - begun:.1f} s")
    layout = Layout(
        size=options.size or model.info.size,
        side_by_side=options.side_by_side,
        paste_back=options.paste_back,
        match_colours=options.match_colours,
        mark=options.visible_mark and bool(options.out.suffix) and options.out.suffix.lower() != ".png",
    )
    with output.open_output(options.out, source, options.workdir.resolve().name) as destination:
        return _write(options, source, model, reader, driver, layout, destination, say)


def _write(
    options: Options,
    source: Source,
    model: DrivenConverter,
    reader: Reader,
    driver: Synthesizer,
    layout: Layout,
    destination: Output,
    say: Say,
) -> int:
    writer = Writer(destination, layout, model.info.scheme, lambda: pipeline.stopped)
    stages = [
        Stage("decode", lambda _: source.frames()),
        Stage("landmarks", lambda frames: detect_faces(frames, reader, options.paste_back)),
        Stage("networks", driver),
        Stage("encode", writer),
    ]
    pipeline = Pipeline(stages)
    begun = time.perf_counter()
    with Progress(source.count) as progress, Interrupts() as interrupts, pipeline:
        progress.name(options.target or driver.targets[0])
        _follow(pipeline, progress, interrupts)
    seconds = time.perf_counter() - begun
    stopped = pipeline.stopped
    if not writer.written:
        raise ValueError(_nothing(writer.faceless, stopped, source, reader))
    out = cli.unused(options.out, "stopped") if stopped and options.out.exists() else options.out
    if line := cli.keep_earlier(out, options.overwrite):
        say(line)
    destination.commit(out)
    lines = _report(writer, source, stages, seconds, stopped)
    for line in [*lines, *_held(driver, writer, model, options), *_outside(driver, writer)]:
        say(line)
    if layout.side_by_side + len(driver.targets) > 2 and not layout.paste_back:
        cells = ["driving"] * layout.side_by_side + list(driver.targets)
        say(f"grid, {columns(len(cells))} in a row: {', '.join(cells)}")
    say(f"{out} is complete" if not stopped else f"stopped: {out} holds the first {writer.written} frames and is whole")
    return 128 + interrupts.signal_number if stopped else 0


def _follow(pipeline: Pipeline, progress: Progress, interrupts: Interrupts) -> None:
    """Shows the progress to the end. A first Ctrl-C lets frames under way finish, a second ends at once."""
    before = 0
    for written in pipeline:
        progress.advance(float(written - before))
        before = written
        if interrupts.signal_number is not None and not pipeline.stopped:
            pipeline.stop()
            print("stopping: the frames under way are being finished; Ctrl-C again drops them", file=sys.stderr)


def _knowing_driver(source: Source, model: DrivenConverter, reader: Reader, say: Say) -> DrivenConverter:
    """The model that knows some frames of the driver, where any shows the face; see `LandmarkGAN.with_driver`."""
    wanted = sampled_frames.evenly(source, _DRIVER_FRAMES)
    seen = [face for _, face in sampled_frames.faces(source, reader, wanted) if face is not None]
    if not seen:
        return model
    say(f"the shape of the driver's face is known from {len(seen)} frames")
    return model.with_driver(np.concatenate([reader.points([face]) for face in seen]))


def _report(writer: Writer, source: Source, stages: Sequence[Stage], seconds: float, stopped: bool) -> list[str]:
    """Lines on the time of each stage, and on frames without a face."""
    count = writer.written
    lines = [f"{stage.name:>10} {stage.busy:7.1f} s {1000 * stage.busy / count:8.1f} ms a frame" for stage in stages]
    slowest = max(stages, key=lambda stage: stage.busy)
    networks = next(stage.busy for stage in stages if stage.name == "networks")
    lines.append(
        f"networks alone {count / networks:.1f} frames/s · end to end {count / seconds:.1f} frames/s "
        f"({seconds:.1f} s, {seconds / slowest.busy:.2f} times the slowest stage, {slowest.name})"
    )
    if writer.faceless:
        more = f" and {writer.faceless - len(writer.listed)} more" if writer.faceless > len(writer.listed) else ""
        photos = source.kind == "folder"
        numbers = ", ".join(source.files[i].name if photos else str(i) for i in writer.listed)
        lines.append(f"no face in {writer.faceless} of {count} frames, which reuse another result: {numbers}{more}")
    lines += source.notes
    if source.kind == "video" and not stopped and count < _WHOLE * source.count:
        lines.append(f"{source.path} is cut off or damaged: {count} of about {source.count} frames can be read")
    return lines


def _held(driver: Synthesizer, writer: Writer, model: DrivenConverter, options: Options) -> list[str]:
    """The number of frames in which the constraint changed the landmarks of each target, if there is one."""
    if not (model.constraint and options.constraint):
        return []
    new = model.info.identities[-1] if options.reference else None
    count = writer.written - writer.faceless
    return [
        f"landmarks of {held} of {count} frames were clamped to the range of {name}'s "
        f"{'reference' if name == new else 'training'} frames"
        for name, held in driver.held.items()
    ]


def _outside(driver: Synthesizer, writer: Writer) -> list[str]:
    """The number of frames outside the training range, where it can be measured."""
    if driver.outside is None:
        return []
    more = ": expect artifacts there" if driver.outside else ""
    seen = writer.written - writer.faceless
    return [f"{driver.outside} of {seen} frames lie outside the faces that the run knows{more}"]


def _nothing(faceless: int, stopped: bool, source: Source, reader: Reader) -> str:
    if stopped:
        return "stopped before the first face: nothing is written"
    if not faceless:
        return f"{source.path} has no frame that can be read: nothing is written"
    first = next((frame.image for frame in source.frames() if frame.image is not None), None)
    why = reader.missed(first) if isinstance(reader, Locator) and first is not None else ""
    if why:
        return f"in {source.path} there is no face{why}: nothing is written"
    if source.kind == "image":
        return f"there is no face in {source.path}: nothing is written"
    return f"there is no face in any of the {faceless} frames of {source.path}: nothing is written"
