"""Samples a data set of faces, shard by shard: each is written under a hidden name and appears when it is whole."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lgan_jax import files, locks
from lgan_jax.apps.shared import loading
from lgan_jax.apps.synthesize.command import Options
from lgan_jax.coordinates import to_pixels
from lgan_jax.core import FaceInfo
from lgan_jax.data.builders import generated
from lgan_jax.data.builders.base import read_lines, skipped_lines
from lgan_jax.data.split import FEWEST
from lgan_jax.media import provenance, pts
from lgan_jax.media.images import to_bytes
from lgan_jax.methods.began.model import BEGAN
from lgan_jax.progress import Progress
from lgan_jax.protocols import LandmarkedSampler
from lgan_jax.training import checkpoints, machine, workdir

Say = Callable[[str], None]

SHARD = 1000  # faces in a folder
_BATCH = 100  # faces sampled in one call, while those before are written


class Face(NamedTuple):
    """A row of the table: the file, the face's number, its image's digest, and landmarks `(N, 2)` in pixels."""

    file: str
    number: int
    digest: str
    points: Any


def synthesize(options: Options) -> int:
    """Samples as `options` say; returns the exit status. Raises one-line errors for a user's mistakes."""
    check(options.out)
    with locks.held(options.out, f"--out {options.out}", inside=True):
        return _synthesize(options)


def _synthesize(options: Options) -> int:
    otherwise = "is no run of BEGAN with landmarks (configs/celeba.py)"
    model = loading.load(options.workdir, BEGAN, otherwise)
    print(machine.device(), flush=True)
    run(options, model, record(options, model.info))
    return 0


def check(out: Path) -> None:
    """Raises `FileExistsError` where something else is in the folder, `FileNotFoundError` without the one around it."""
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"--out {out} is a file; give a folder")
    if not out.resolve().parent.is_dir():
        raise FileNotFoundError(f"there is no folder {out.parent} for --out {out.name}")
    others = out.is_dir() and any(path.name != locks.NAME for path in out.iterdir())
    if others and not (out / generated.RECORD).exists():
        raise FileExistsError(f"--out {out} holds something else: choose a new or an empty folder")


def record(options: Options, info: FaceInfo) -> dict[str, Any]:
    """What must stay the same while a folder is added to."""
    newest = {each.name: checkpoints.newest_step(each) for each in (options.workdir / "checkpoints").iterdir()}
    weights = ", ".join(f"{name} of step {step:,}" for name, step in sorted(newest.items()) if step is not None)
    stored = workdir.read_experiment(options.workdir)
    return {
        "run": options.workdir.resolve().name,
        "weights": weights,
        "config": hashlib.sha256(json.dumps(stored["config"], sort_keys=True).encode()).hexdigest()[:16],
        "data": stored["data"]["fingerprint"],
        "seed": options.seed,
        "latents": "near those of training images" if options.near_training else "uniform",
        "size": info.size,
        "scheme": info.scheme.name,
        "source_type": provenance.SOURCE_TYPE,
    }


def run(options: Options, model: LandmarkedSampler, about: dict[str, Any], say: Say = print) -> None:
    """Samples the missing faces, then writes the table and the TFDS data set. Raises as `synthesize`."""
    out, start = options.out, time.monotonic()
    _begin(out, about)
    shards = range((options.count + SHARD - 1) // SHARD)
    seen: set[str] = set()
    faces: list[Face] = []
    new = equal = 0
    (out / generated.TABLE).unlink(missing_ok=True)  # it says that all is there
    with Progress(options.count, "faces", "sampling faces") as progress:
        for shard in shards:
            numbers = range(shard * SHARD, min((shard + 1) * SHARD, options.count))
            there = _stored(out, shard, numbers)
            if there is None:
                there = _make(out, shard, numbers, model, options, about["run"], seen, progress)
                new += len(there)
            else:
                progress.skip(len(numbers))
            seen.update(face.digest for face in there)
            faces += there
            equal += len(numbers) - len(there)
    seconds = time.monotonic() - start
    say(f"{new:,} faces sampled in {seconds:.1f} s ({new / seconds:,.0f} a second), {len(faces) - new:,} were there")
    if equal:
        say(f"{equal:,} faces are dropped: they duplicate others")
    _write_table(out / generated.TABLE, faces)
    if len(faces) >= FEWEST:
        say(_dataset(out))
    else:
        say(f"a data set needs at least {FEWEST} faces to split; {out / generated.STORED} is not written")
    say(f"{out} holds {len(faces):,} faces with {model.info.scheme.count} landmarks, sampled from {about['run']}")


def _begin(out: Path, about: dict[str, Any]) -> None:
    if (out / generated.RECORD).exists():
        if changes := list(workdir.differences(generated.read_record(out), about)):
            changed = "; ".join(map(str, changes))
            raise ValueError(f"--out {out} holds faces sampled with other settings: {changed}; choose another folder")
        return
    files.make_folder(out)
    files.write_text(out / generated.RECORD, json.dumps(about, indent=2) + "\n")


def _make(
    out: Path,
    shard: int,
    numbers: range,
    model: LandmarkedSampler,
    options: Options,
    run: str,
    seen: set[str],
    progress: Progress,
) -> list[Face]:
    """Samples a shard. The next faces are sampled while threads write those before."""
    folder = out / generated.IMAGES / f"{shard:05d}"
    files.make_folder(folder.parent)
    known, faces = set(seen), []
    with files.Replacement(folder, folder=True) as new, new.named(), ThreadPoolExecutor(os.cpu_count()) as threads:
        writing = []
        for first in range(numbers.start, numbers.stop, _BATCH):
            count = min(_BATCH, numbers.stop - first)
            sampled = model.sample(options.seed, count, first, options.near_training)
            images = to_bytes(sampled.image)
            for i, (image, points) in enumerate(zip(images, np.asarray(sampled.landmarks, np.float64))):
                digest = hashlib.blake2b(np.ascontiguousarray(image).data, digest_size=16).hexdigest()
                if digest in known:
                    continue
                known.add(digest)
                name = f"{first + i:07d}"
                file = f"{generated.IMAGES}/{folder.name}/{name}.png"
                faces.append(Face(file, first + i, digest, to_pixels(points, model.info.size, model.info.size)))
                writing.append(threads.submit(_write_face, new.part / name, image, faces[-1].points, run))
            progress.advance(count)
        for each in writing:
            each.result()
        _write_table(new.part / generated.TABLE, faces)
        shutil.rmtree(folder, ignore_errors=True)  # a shard of fewer faces
        new.commit()
    return faces


def _write_face(path: Path, image: np.ndarray, points: np.ndarray, run: str) -> None:
    path.with_suffix(".png").write_bytes(provenance.png_bytes(image, run))
    path.with_suffix(".pts").write_text(pts.text(points))


def _stored(out: Path, shard: int, numbers: range) -> list[Face] | None:
    """The faces of a shard that is there with all these numbers; None where it is not, or its table is damaged."""
    path = out / generated.IMAGES / f"{shard:05d}" / generated.TABLE
    if not path.is_file():
        return None
    try:
        rows = list(csv.reader(read_lines(path)))[1:]
        done = int(rows[-1][1]) + 1 if rows else numbers.start
        faces = [Face(row[0], int(row[1]), row[2], np.array(row[3:], float).reshape(-1, 2)) for row in rows]
    except (ValueError, IndexError, csv.Error):  # the shard is sampled again
        return None
    if done < numbers.stop:
        return None
    return [face for face in faces if face.number in numbers]


def _write_table(path: Path, faces: Sequence[Face]) -> None:
    count = len(faces[0].points) if faces else 0
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["file", "number", "digest", *(f"{axis}_{i}" for i in range(count) for axis in "xy")])
    for face in faces:
        writer.writerow([face.file, face.number, face.digest, *(f"{x:.3f}" for x in np.ravel(face.points))])
    files.write_text(path, text.getvalue())


def _dataset(out: Path) -> str:
    """Builds the TFDS data set in the place of an earlier one; returns what to say of it."""
    builder = generated.Generated(out)
    for old in (out / generated.STORED).glob("made-*"):
        if old.name != builder.key and old.is_dir():
            shutil.rmtree(old)
    with files.named(out / generated.STORED):
        builder.build()
    lost = "; ".join(skipped_lines(builder.skipped))
    return f"TFDS data set: {builder.data_dir}" + (f"; left out: {lost}" if lost else "")
