"""From a config to a trained and evaluated run, and from a run's folder back to a model."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import rich.console
from ml_collections import ConfigDict

from lgan_jax import config as configs
from lgan_jax import data, interop, landmarks, methods
from lgan_jax.core import FaceInfo, Finished, blank_batch
from lgan_jax.data import kept, pipelines
from lgan_jax.evaluation import detector as detector_evaluation
from lgan_jax.evaluation import report
from lgan_jax.evaluation.began import evaluate as began_evaluation
from lgan_jax.evaluation.dftnet import evaluate as dftnet_evaluation
from lgan_jax.evaluation.expression import evaluate as expression_evaluation
from lgan_jax.evaluation.landmarkgan import evaluate as landmarkgan_evaluation
from lgan_jax.evaluation.pictures import to_floats
from lgan_jax.evaluation.projection import evaluate as projection_evaluation
from lgan_jax.methods import PHASES
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.training import checkpoints, loop, memory, parallel, workdir
from lgan_jax.training.interrupts import Stopped
from lgan_jax.training.logs import metrics_file
from lgan_jax.training.phase import Phase

_EVALUATIONS: Mapping[str, ModuleType] = {
    "landmarkgan": landmarkgan_evaluation,
    "detector": detector_evaluation,
    "dftnet": dftnet_evaluation,
    "expression": expression_evaluation,
    "began": began_evaluation,
    "projection": projection_evaluation,
}
_HELD_OUT_BATCH = 4
_EXAMPLES = 64  # training examples that a phase may start from


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a config holds beside one section for each of its phases, and `evaluation`.

    Attributes:
      method: one of `methods.PHASES`.
      phases: which of its phases to train, in order.
      data: the faces.
      loop: intervals and seed.
      held_out: pictures of each identity that are looked at while training.
      detector_run: folder of a finished run whose detector is taken over, in the place of training one.
      precision: what networks compute in; "auto" is bfloat16 on a GPU or TPU and float32 on a CPU.
    """

    method: str
    phases: tuple[str, ...]
    data: data.Settings
    loop: loop.Settings
    held_out: int = 8
    detector_run: str = ""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        if self.method not in PHASES:
            raise ValueError(f"method is {self.method!r}; the methods are {', '.join(PHASES)}")
        known = PHASES[self.method]
        for phase in self.phases:
            if phase not in known:
                raise ValueError(f"{self.method} has no phase {phase!r}; its phases are {', '.join(known)}")
        if not self.phases:
            raise ValueError("phases is empty; name at least one")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A config that has been read: the settings of the whole, of each phase, and of the evaluation."""

    settings: Settings
    phases: Mapping[str, Any]
    evaluation: Any

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Experiment:
        """Raises `ValueError`, one line, for what a config should not hold or does not.

        The sections of phases that it does not list are left aside.
        """
        config = dict(config)
        sections = {name: config.pop(name, {}) for name in (*config.get("phases", ()), "evaluation")}
        for unlisted in PHASES.get(config.get("method"), {}):
            config.pop(unlisted, None)
        settings = configs.read(Settings, config)
        known = PHASES[settings.method]
        return cls(
            settings,
            {name: configs.read(known[name].Settings, sections[name], f"config.{name}") for name in settings.phases},
            configs.read(_EVALUATIONS[settings.method].Settings, sections["evaluation"], "config.evaluation"),
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """What a run of these settings is trained without, and why."""
        return tuple(line for phase in self.phases.values() for line in getattr(phase, "left_out", ()))

    def published(self) -> dict[str, dict[str, Any]]:
        """Of each phase that takes some, the published networks that its settings name, by kind.

        Raises `FileNotFoundError` for a file that is not there, and as `interop.load`.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, settings in self.phases.items():
            for kind in getattr(PHASES[self.settings.method][name], "published", ()):
                if path := getattr(settings, kind):
                    network = interop.required(kind, path, f"config.{name}.{kind}")
                    found.setdefault(name, {})[kind] = network
        return found

    def build(
        self, name: str, info: FaceInfo, earlier: Mapping[str, Finished], published: Mapping[str, Any] | None = None
    ) -> Any:
        """The method of one phase; `published` are its networks, where it is to be trained and takes any."""
        more = {"published": published} if published else {}
        return PHASES[self.settings.method][name](self.phases[name], info, self._dtype(), earlier, **more)

    def check(self, faces: data.FaceData) -> None:
        """Raises `ValueError`, one line, where the faces lack what a phase needs.

        That is an array, to come in pairs, or people with several expressions of whom nobody is in both splits.
        """
        for name in self.phases:
            method = PHASES[self.settings.method][name]
            faces.require(method.keys)
            if method.grouping == "pairs" and not (len(faces.train.pairs) and len(faces.test.pairs)):
                raise ValueError(
                    f"{faces.name}: the {name} phase needs pictures in pairs that differ in expression alone, and "
                    "there are none; configs/emotionet.py:cpu,unpaired has phases that do without"
                )
            if method.grouping == "expressions":
                faces.require_subjects()

    def described(self, faces: data.FaceData) -> dict[str, Any]:
        """The data as the run's record has them; with how many there are, where a phase has something of each."""
        counted = any("index" in PHASES[self.settings.method][name].keys for name in self.phases)
        return kept.described(faces, faces.info) | ({"pictures": faces.info.pictures} if counted else {})

    def training_phases(self, faces: data.FaceData, published: Mapping[str, Mapping[str, Any]]) -> list[Phase]:
        """The phases as the loop trains them, with their data and what `published` found."""

        def phase(name: str) -> Phase:
            method = PHASES[self.settings.method][name]
            grouping, keys = method.grouping, method.keys
            watched = getattr(faces, getattr(method, "looks_at", "test"))
            held_out = pipelines.held_out(watched, grouping, self.settings.held_out, _HELD_OUT_BATCH, keys)
            return Phase(
                name=name,
                steps=self._steps(name, faces.info.pictures),
                batch_size=self.phases[name].batch_size,
                build=functools.partial(self.build, name, faces.info, published=published.get(name)),
                batches=functools.partial(
                    pipelines.training_batches,
                    faces.train,
                    self.phases[name].batch_size,
                    self.settings.loop.seed,
                    grouping,
                    keys=keys,
                    shard=(jax.process_index(), jax.process_count()),
                ),
                example=pipelines.held_out(faces.train, grouping, _EXAMPLES, _EXAMPLES, keys, most=_EXAMPLES)[0],
                held_out=held_out,
                pictures=held_out[0],
            )

        return [phase(name) for name in self.phases]

    def restored(self, info: FaceInfo, folder: pathlib.Path) -> dict[str, Finished]:
        """The newest state of every phase that has one; needs no data."""

        def phase(name: str) -> Phase:
            example = blank_batch(PHASES[self.settings.method][name], info)
            build = functools.partial(self.build, name, info)
            steps = self._steps(name, info.pictures)
            return Phase(name, steps, 1, build, lambda: iter(()), example, [example], example)

        return checkpoints.restore_finished([phase(name) for name in self.phases], folder)

    def _steps(self, name: str, pictures: int) -> int:
        """How many steps a phase has of so many training pictures."""
        settings = self.phases[name]
        length = getattr(PHASES[self.settings.method][name], "length", None)
        return length(settings, pictures) if length else settings.steps

    def _dtype(self) -> Any:
        if self.settings.precision == "auto":
            return jnp.float32 if jax.default_backend() == "cpu" else jnp.bfloat16
        return jnp.dtype(self.settings.precision)


def chosen(config: Mapping[str, Any], variants: str, known: Sequence[Callable[[ConfigDict], None]]) -> ConfigDict:
    """The config, changed by the variants named, which commas separate, in the order of `known`; then `completed`.

    Raises `ValueError` for a variant that is none of the functions `known`.
    """
    wanted, names = set(filter(None, variants.split(","))), [change.__name__ for change in known]
    if unknown := wanted - set(names):
        raise ValueError(f"the config has no variant {min(unknown)!r}; it has {', '.join(names)}")
    config = ConfigDict(config)
    for name, change in zip(names, known):
        if name in wanted:
            change(config)
    return completed(config.to_dict())


def completed(config: Mapping[str, Any]) -> ConfigDict:
    """A config that says what is not a default, with every other field added: the command line can then set each."""
    known = PHASES[config["method"]]
    whole = configs.merged({**configs.defaults(Settings), "data": configs.defaults(data.Settings)}, config)
    sections = {name: known[name].Settings for name in config["phases"]}
    sections["evaluation"] = _EVALUATIONS[config["method"]].Settings
    for name, settings in sections.items():
        whole[name] = configs.merged(configs.defaults(settings), config.get(name, {}))
    whole["loop"] = configs.merged(configs.defaults(loop.Settings), config.get("loop", {}))
    return ConfigDict(whole)


def train(config: Mapping[str, Any], folder: pathlib.Path) -> int:
    """Trains what `config` describes in the run's folder `folder`, then evaluates it. Returns an exit status.

    Called again it continues; a finished run is evaluated again. Raises `ValueError` or `OSError`, one line, for what
    a user can mend.
    """
    memory.keep_freed()
    experiment = Experiment.read(config)
    faces = data.open_faces(experiment.settings.data)
    experiment.check(faces)
    if other := experiment.settings.detector_run:
        config = {**config, "detector": _detector_section(other, config, faces.info)}
        experiment = Experiment.read(config)
    published = experiment.published()
    record = {"config": _plain(config), "data": experiment.described(faces)}
    if experiment.left_out:
        record["left_out"] = list(experiment.left_out)
    run = workdir.open_run(folder, record)
    if other:
        _copy_detector(pathlib.Path(other), run)
    if parallel.is_first():
        _keep_landmarks(faces, run)
    try:
        phases = experiment.training_phases(faces, published)
        loop.run(phases, folder, experiment.settings.loop, record, _notes(faces, experiment.left_out))
    except Stopped as stopped:
        print(stopped, file=sys.stderr)
        return stopped.status
    except FloatingPointError as error:
        print(f"stopped: {error}", file=sys.stderr)
        return 1
    if parallel.is_first():
        evaluate(folder, faces=faces)
    return 0


def evaluate(
    folder: pathlib.Path,
    overrides: Mapping[str, Any] | None = None,
    data_dir: str | None = None,
    faces: data.FaceData | None = None,
) -> report.Report:
    """Evaluates the run in `folder` on its held-out faces; writes `report/` there and prints the tables.

    Args:
      folder: of the run.
      overrides: fields of the config's `evaluation` to change.
      data_dir: where the run's data set lies now, if it was moved.
      faces: the run's faces, if they are open already.

    Raises `ValueError` where the data is not what the run was trained on, or this evaluation has no such field.
    """
    stored = workdir.read_run(folder)
    experiment = Experiment.read(stored["config"])
    whole = dataclasses.asdict(experiment.evaluation) | dict(overrides or {})
    method = experiment.settings.method
    settings = configs.read(type(experiment.evaluation), whole, f"the evaluation of {method}")
    if faces is None:
        where = experiment.settings.data
        faces = data.open_faces(where if data_dir is None else dataclasses.replace(where, dir=data_dir))
    if faces.fingerprint != stored["data"]["fingerprint"]:
        raise ValueError(f"{faces.name} is not, or no more, what {folder} was trained on ({stored['data']['name']})")
    finished = experiment.restored(faces.info, folder)
    about = {"Weights": ", ".join(f"{name} of step {int(each.state.step):,}" for name, each in finished.items())}
    model = methods.model(method, faces.info, finished)
    more = _others(settings, stored, faces) if method == "expression" else {}
    if method == "began":
        lines = metrics_file.read(folder / "metrics.jsonl")
        seen = [line for line in lines if (line["phase"], line["kind"]) == ("began", "eval")]
        more["history"] = [(line["step"], line["values"]["convergence"]) for line in seen]
    if getattr(settings, "inception", ""):
        more["inception"] = _inception(settings.inception)
    made = _EVALUATIONS[method].evaluate(model, faces, settings, folder / "report", about, **more)
    report.show_report(made, rich.console.Console())
    return made


def load(folder: str | pathlib.Path) -> Any:
    """The model of a trained run, ready to use; its kind follows from the run's method.

    Raises `FileNotFoundError` where there is no run or nothing saved yet, `ValueError` where the run has not yet
    reached the phase that a model needs.
    """
    folder = pathlib.Path(folder)
    stored = workdir.read_run(folder)
    experiment = Experiment.read(stored["config"])
    about = stored["data"]
    scheme, people = landmarks.scheme(about["scheme"]), tuple(about["identities"])
    info = FaceInfo(scheme, about["size"], people, about.get("pictures", 0))
    return methods.model(experiment.settings.method, info, experiment.restored(info, folder))


def training_landmarks(folder: str | pathlib.Path) -> dict[str, np.ndarray]:
    """Landmarks that a run was trained on, by identity: `(at most 500, N, 2)` in [0, 1], evenly spaced over its frames.

    They show which faces the run knows, without its data. Raises `FileNotFoundError` where there is no run, or one that
    kept none.
    """
    folder = pathlib.Path(folder)
    return dict(kept.read(folder, workdir.read_run(folder)["data"]["identities"]))


def _others(
    settings: expression_evaluation.Settings, stored: Mapping[str, Any], faces: data.FaceData
) -> dict[str, Any]:
    """The other runs that an evaluation of expressions compares with, opened.

    Raises `ValueError` for a run of another method or of other data.
    """
    others = {}
    for path in map(pathlib.Path, settings.compare):
        other = workdir.read_run(path)
        if other["data"]["fingerprint"] != faces.fingerprint or other["config"]["method"] != stored["config"]["method"]:
            raise ValueError(f"--compare {path}: this run has another method or other data, and cannot be compared")
        configs_of_both = ({k: v for k, v in each["config"].items() if k != "evaluation"} for each in (stored, other))
        difference = "; ".join(workdir.differences(*configs_of_both)) or "by nothing"
        others[path.resolve().name] = expression_evaluation.Other(load(path), difference)
    return {"others": others}


def _inception(path: str) -> Callable[[np.ndarray], np.ndarray]:
    """The features of FID by the user's file of weights. Raises `ValueError` for a file that holds others."""
    network = interop.network("inception-fid", path)
    features = jax.jit(lambda images: network.module.apply(network.variables, images)[0])
    return lambda pictures: in_chunks(features, to_floats(pictures))


def _keep_landmarks(faces: data.FaceData, folder: pathlib.Path) -> None:
    """Writes what `training_landmarks` reads, once, where the data has landmarks."""
    if faces.has("landmarks") and not kept.is_there(folder):
        kept.write(folder, [kept.landmarks(faces, i) for i in range(len(faces.info.identities))])


def _detector_section(other: str, config: Mapping[str, Any], info: FaceInfo) -> dict[str, Any]:
    """The detector section of the config of the run in `other`, whose detector must be finished and fit `info`."""
    if "detector" not in config["phases"]:
        raise ValueError("detector_run: this config has no detector phase that could be taken over")
    return checkpoints.finished_section(other, "detector", {"scheme": info.scheme.name, "size": info.size})


def _copy_detector(other: pathlib.Path, folder: pathlib.Path) -> None:
    """Copies the checkpoints of a finished detector, whole or not at all; the run needs `other` no more then."""
    source, target = (checkpoints.folder_of(run, "detector") for run in (other, folder))
    if not target.exists():
        temporary = target.with_name(".detector")
        shutil.copytree(source, temporary, dirs_exist_ok=True)
        temporary.rename(target)


def _notes(faces: data.FaceData, left_out: Sequence[str]) -> Sequence[str]:
    """What a run says at its start: of its data, and what it is trained without."""
    info = faces.info
    counts = f"{len(faces.train):,} pictures to train on, {len(faces.test):,} held out"
    lines = [
        f"data: {faces.name}: {counts}, {len(info.identities)} identities, {info.size}×{info.size}, {info.scheme.name}"
    ]
    if faces.built_in:
        lines.append("NOTE: no data folder was given: this run trains on the BUILT-IN FACES, drawn by this library.")
        lines.append("      Give your own with --config.data.dir=FOLDER.")
    return [*lines, *faces.notes, *(f"NOTE: trained without {each}." for each in left_out)]


def _plain(config: Any) -> Any:
    """A config as what JSON can hold."""
    if isinstance(config, Mapping):
        return {name: _plain(value) for name, value in config.items()}
    return [_plain(value) for value in config] if isinstance(config, list | tuple) else config
