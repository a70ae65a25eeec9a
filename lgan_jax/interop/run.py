"""Writes a run's folder from published weights, as training would: manifest, checkpoints, landmarks.

Each phase's checkpoint is of its last step. The states of optimizers, which nobody published, are zeros, as are
discriminators that were not given: nothing that uses a finished run looks at them. A detector that was not given is
NaN, so that it cannot be mistaken for one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import grain
import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax import config as configs
from lgan_jax import data, files, locks
from lgan_jax.core import FaceInfo, Finished, blank_batch
from lgan_jax.data import synthetic, training_landmarks
from lgan_jax.interop import landmarkgan
from lgan_jax.interop.released import Release
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.methods.landmarkgan.converter import ConverterPhase
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase
from lgan_jax.training import checkpoints, loop, workdir
from lgan_jax.training.phase import Phase, PhaseRun
from lgan_jax.training.train_state import TrainState

_BUILT_IN = {"train_per_identity": 100, "validation_per_identity": 8, "test_per_identity": 10}


def write(
    release: Release,
    out: Path,
    identities: Sequence[str] | None = None,
    data_dir: str = "",
    detector_run: Path | None = None,
) -> FaceInfo:
    """Writes the run's folder `out`, whole or not at all.

    Args:
      release: the networks.
      out: the folder; there must be nothing yet.
      identities: the people's names, in the order of the release; numbers where it is None.
      data_dir: a folder in CelebV's layout with these people, which the run is then evaluated on. Without it the run
        has the built-in faces for its data, and their landmarks, converted, for those of its people.
      detector_run: a finished run whose detector is taken over where the release has none.

    Raises:
      FileExistsError: `out` exists.
      ValueError: names, data, or the detector do not fit the release.
    """
    if out.exists():
        raise FileExistsError(f"{out} exists; choose another --out")
    people = tuple(identities or map(str, range(release.identities)))
    if len(people) != release.identities or len(set(people)) != len(people):
        raise ValueError(f"--identities must be {release.identities} different names, not {', '.join(people)}")
    settings = _data_settings(release, data_dir)
    faces = data.open_faces(settings)
    if data_dir:
        release = _as_in_data(release, identities, faces)
        people = faces.info.identities
    info = FaceInfo(release.scheme, release.size, people)
    finished = _finished(release, info, detector_run)
    record = json.loads(
        json.dumps({"config": _config(settings, finished), "data": training_landmarks.described(faces, info)})
    )
    with locks.held(out, f"--out {out}"), files.Replacement(out, folder=True) as new, new.named():
        workdir.open_run(new.part, record)
        for name, phase in finished.items():
            save_phase(new.part, name, phase, record)
        training_landmarks.write(new.part, _landmarks(faces, release, finished["converter"].phase))
        new.commit()
    return info


def _data_settings(release: Release, data_dir: str) -> data.Settings:
    return data.Settings(
        name="celebv",
        size=release.size,
        dir=str(Path(data_dir).expanduser().resolve()) if data_dir else "",
        scheme=release.scheme.name,
        split="time",
        built_in=synthetic.Settings(identities=release.identities, **_BUILT_IN),
    )


def _as_in_data(release: Release, identities: Sequence[str] | None, faces: data.FaceData) -> Release:
    """The release with its identities in the order of the data."""
    there = faces.info.identities
    if identities is None or set(identities) != set(there):
        raise ValueError(
            f"--data has the people {', '.join(there)}: say with --identities, in the order of the files' numbers, who "
            f"of them is who; all {release.identities} must be there, and nobody else"
        )
    if faces.info.scheme != release.scheme:
        raise ValueError(
            f"--data has {faces.info.scheme.name}'s landmarks, the weights are for {release.scheme.name}'s"
        )
    order = np.array([list(identities).index(name) for name in there])

    def ordered(tree: Any) -> Any:
        return None if tree is None else jax.tree.map(lambda x: x[order], tree)

    return release._replace(
        converter={**release.converter, "decoders": ordered(release.converter["decoders"])},
        generators=ordered(release.generators),
        discriminators=ordered(release.discriminators),
    )


def _finished(release: Release, info: FaceInfo, detector_run: Path | None) -> dict[str, Finished]:
    """Each phase and its last state, host arrays."""
    widths = release.widths
    detector = _detector(release, info, detector_run)
    converter = ConverterPhase(converter_settings(widths["converter"]), info, jnp.float32, {})
    finished = {
        "detector": detector,
        "converter": after_last_step(converter, info, params={"converter": release.converter}),
    }
    settings = LandmarksPhase.Settings(
        width=widths["generator"],
        discriminator_width=widths.get("discriminator", LandmarksPhase.Settings.discriminator_width),
    )
    generator = LandmarksPhase(settings, info, jnp.float32, finished)
    params = {"generators": release.generators, "converter": release.converter}
    if release.discriminators is not None:
        params["discriminators"] = release.discriminators
    frozen = {"detector": detector.phase.weights(detector.state)}
    _, last = after_last_step(generator, info, params=params, ema={"generators": release.generators}, frozen=frozen)
    watch = last.variables["watch"]
    good = {"generators": release.generators, "discriminators": last.params["discriminators"]}
    watch = watch.replace(good=good, good_step=watch.good_step + last.step)
    finished["generator"] = Finished(generator, last.with_variables(watch=watch))
    return finished


def converter_settings(width: int) -> ConverterPhase.Settings:
    """Settings whose loss is the published one in the published frame, so that training on starts where it stopped."""
    weights = ConverterPhase.Settings.weights
    weights = dataclasses.replace(weights, distance=weights.distance * landmarkgan.PUBLISHED_SCALE)
    return ConverterPhase.Settings(width=width, weights=weights, origin=landmarkgan.PUBLISHED_ORIGIN)


def _detector(release: Release, info: FaceInfo, run: Path | None) -> Finished:
    if release.detector is not None:
        settings = DetectorPhase.Settings(width=release.widths["detector"], depth=release.widths["depth"])
        phase = DetectorPhase(settings, info, jnp.float32, {})
        return after_last_step(phase, info, **_detector_weights(release.detector))
    if run is not None:
        return _taken_over(run, info)
    method = DetectorPhase(DetectorPhase.Settings(), info, jnp.float32, {})
    weights = method.weights(_abstract(method, info))
    unknown = jax.tree.map(lambda x: np.full(x.shape, np.nan, x.dtype), weights)
    return after_last_step(method, info, **_detector_weights(unknown))


def _detector_weights(weights: Mapping[str, Any]) -> dict[str, Any]:
    """The weights of a detector as fields of its phase's state."""
    return {"params": {"detector": weights["params"]}, "variables": {"batch_stats": weights["batch_stats"]}}


def _taken_over(run: Path, info: FaceInfo) -> Finished:
    """The detector of a finished run, which must be for such faces."""
    section = checkpoints.finished_section(run, "detector", {"scheme": info.scheme.name, "size": info.size})
    settings = configs.read(DetectorPhase.Settings, section, "config.detector")
    method = DetectorPhase(settings, info, jnp.float32, {})
    example = blank_batch(method, info)
    steps = settings.steps
    phase_run = PhaseRun("detector", steps, 1, lambda _: method, lambda: iter(()), example, [example], example)
    found = checkpoints.restore_finished([phase_run], run)["detector"]
    return Finished(method, jax.device_get(found.state))


def after_last_step(phase: Phase, info: FaceInfo, **known: Mapping[str, Any]) -> Finished:
    """A phase with its state after its last step: entries of its fields that are known, and zeros."""
    state = jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), _abstract(phase, info))
    known = {name: {**getattr(state, name), **entries} for name, entries in known.items()}
    filled = state.replace(step=np.int32(phase.settings.steps), **known)
    if jax.tree.map(np.shape, filled) != jax.tree.map(np.shape, state):
        raise ValueError(f"the weights of a {type(phase).__name__} do not fit images of {info.size} pixels")
    return Finished(phase, filled)


def _abstract(phase: Phase, info: FaceInfo) -> TrainState:
    return jax.eval_shape(phase.init, jax.random.key(0), blank_batch(phase, info))


def _config(settings: data.Settings, finished: Mapping[str, Finished]) -> dict[str, Any]:
    """The config of such a run."""
    return {
        "method": "landmarkgan",
        "phases": list(finished),
        "precision": "auto",
        "data": dataclasses.asdict(settings),
        "loop": configs.completed(loop.Settings, {}),
        **{name: dataclasses.asdict(phase.phase.settings) for name, phase in finished.items()},
    }


def save_phase(folder: Path, name: str, phase: Finished, record: Mapping[str, Any]) -> None:
    """Writes a phase's last state as training would have: its checkpoint in a run's folder, with the run's record."""
    nothing = iter(grain.MapDataset.range(1).to_iter_dataset())  # a position in data, which a checkpoint must have
    with checkpoints.Checkpoints(folder, name) as saving:
        saving.save(int(phase.state.step), phase.state, nothing, record)


def _landmarks(faces: data.FaceData, release: Release, converter: ConverterPhase) -> list[np.ndarray]:
    """The data's landmarks of each identity; of built-in faces, all faces' landmarks, converted to that identity."""
    if not faces.built_in:
        return [training_landmarks.landmarks(faces, i) for i in range(release.identities)]
    all_landmarks = jnp.asarray(training_landmarks.landmarks(faces))
    return [np.asarray(converter.convert(release.converter, all_landmarks, i)) for i in range(release.identities)]
