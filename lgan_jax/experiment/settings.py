"""Reads and checks a config, builds its phases, and completes configs for config files."""

from __future__ import annotations

import dataclasses
import functools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import jax
import jax.numpy as jnp
from ml_collections import ConfigDict

from lgan_jax import config as configs
from lgan_jax import data, interop, optimizers
from lgan_jax.core import FaceInfo, Finished, blank_batch
from lgan_jax.data import coverage, pipelines, training_landmarks
from lgan_jax.methods import METHODS, MethodSpec
from lgan_jax.ops import backend
from lgan_jax.training import checkpoints, loop, start_weights
from lgan_jax.training.phase import Phase, PhaseRun, as_arrays
from lgan_jax.training.train_state import TrainState

_EVAL_BATCH = 4


@dataclasses.dataclass(frozen=True)
class Settings:
    """Top-level fields of a config; it also has a section for each of its phases, and `evaluation`.

    Attributes:
      method: one of `methods.METHODS`.
      phases: phases to train, in order.
      data: settings of the data set.
      loop: intervals and seed.
      eval_images: validation images of each identity for evaluation during training; the first are sample images.
      detector_run: folder of a finished run whose detector is reused instead of training a new detector.
      init_from: folder of a run of the same method; each phase starts from the weights of its phase of the same name,
        where they fit (fine-tuning).
      precision: compute dtype of the networks; "auto" is bfloat16 on a GPU or TPU and float32 on a CPU.
    """

    method: str
    phases: tuple[str, ...]
    data: data.Settings
    loop: loop.Settings
    eval_images: int = 8
    detector_run: str = ""
    init_from: str = ""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ValueError(f"method is {self.method!r}; the methods are {', '.join(METHODS)}")
        known = METHODS[self.method].phases
        for phase in self.phases:
            if phase not in known:
                raise ValueError(f"{self.method} has no phase {phase!r}; its phases are {', '.join(known)}")
        if not self.phases:
            raise ValueError("phases is empty; name at least one")


@dataclasses.dataclass(frozen=True)
class Experiment:
    """A parsed config: top-level settings, class and settings of each phase, settings of the evaluation."""

    settings: Settings
    classes: Mapping[str, type[Phase]]
    phases: Mapping[str, Any]
    evaluation: Any

    @property
    def method(self) -> MethodSpec:
        """The method of the config."""
        return METHODS[self.settings.method]

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Experiment:
        """Reads a config. Raises `ValueError`, one line, for unknown, missing or invalid fields.

        Sections of phases that it does not list are ignored.
        """
        config = dict(config)
        phases = config.get("phases", ())
        if not isinstance(phases, list | tuple) or not all(isinstance(name, str) for name in phases):
            raise ValueError(f"config.phases must be a list of names, not {phases!r}")
        sections = {name: config.pop(name, {}) for name in (*phases, "evaluation")}
        for name, section in sections.items():
            if not isinstance(section, Mapping):
                raise ValueError(f"config.{name} must hold fields of its own, not {section!r}")
        for unlisted in METHODS[config["method"]].phases if config.get("method") in METHODS else ():
            config.pop(unlisted, None)
        settings = configs.read(Settings, config)
        method = METHODS[settings.method]
        classes = {name: method.phases[name] for name in settings.phases}
        phases = {
            name: configs.read(phase.Settings, sections[name], f"config.{name}") for name, phase in classes.items()
        }
        for name, phase in phases.items():
            _check_rates(f"config.{name}", phase)
        return cls(
            settings,
            {name: phase.variant(phases[name]) for name, phase in classes.items()},
            phases,
            configs.read(method.evaluation.Settings, sections["evaluation"], "config.evaluation"),
        )

    @property
    def left_out(self) -> tuple[str, ...]:
        """Optional parts that a run with these settings is trained without, with reasons."""
        return tuple(line for name, phase in self.classes.items() for line in phase.left_out(self.phases[name]))

    @property
    def holds_frames(self) -> bool:
        """Whether checkpoints of the run hold training frames."""
        return any(phase.holds_frames for phase in self.classes.values())

    def pretrained(self) -> dict[str, dict[str, Any]]:
        """The pretrained networks that the phases' settings name, by phase and kind.

        Raises `FileNotFoundError` for a missing file, and as `interop.load`.
        """
        found: dict[str, dict[str, Any]] = {}
        for name, settings in self.phases.items():
            for kind in self.classes[name].pretrained:
                if path := getattr(settings, kind):
                    network = interop.required(kind, path, f"config.{name}.{kind}")
                    found.setdefault(name, {})[kind] = network
        return found

    def build(
        self, name: str, info: FaceInfo, earlier: Mapping[str, Finished], pretrained: Mapping[str, Any] | None = None
    ) -> Phase:
        """Builds a phase; `pretrained` are its pretrained networks, needed for training only."""
        more = {"pretrained": pretrained} if pretrained else {}
        return self.classes[name](self.phases[name], info, self._dtype(), earlier, **more)

    def check(self, faces: data.FaceData) -> None:
        """Raises `ValueError`, one line, where the data set lacks what a phase needs.

        A phase may need an array, pairs, or a split by subject with several expressions of each subject.
        """
        for name, phase in self.classes.items():
            faces.require(phase.keys)
            splits = (faces.train, faces.validation, faces.test)
            if phase.grouping == "pairs" and not all(len(split.pairs) for split in splits):
                raise ValueError(
                    f"{faces.name}: the {name} phase needs pairs of images that differ only in expression, and a split "
                    "has none; config.data.pairs has ways to find them, configs/emotionet.py:cpu,unpaired needs none"
                )
            if phase.grouping == "expressions":
                faces.require_subjects()
            if phase.grouping == "one_of_each":
                faces.require_everybody()
                if self.settings.data.shares:
                    raise ValueError(f"config.data.shares: the {name} phase has one image of each person in an example")

    def warnings(self, faces: data.FaceData) -> list[str]:
        """Coverage warnings of the recordings, if a phase learns a network for each identity."""
        if faces.built_in or all(phase.grouping != "one_of_each" for phase in self.classes.values()):
            return []
        return coverage.warnings(faces)

    def rehearse(self, info: FaceInfo, pretrained: Mapping[str, Mapping[str, Any]]) -> dict[str, Finished]:
        """Builds every phase on abstract states of the earlier phases; takes half a second.

        Incompatible phases are refused before training. `pretrained` is the result of that method. Returns the abstract
        states, without the last phase's where the run starts from random weights. Raises `ValueError`, one line, as the
        phases do.
        """
        phases: dict[str, Phase] = {}

        def build() -> dict[str, TrainState]:
            earlier: dict[str, Finished] = {}
            for name in self.phases:
                phases[name] = phase = self.build(name, info, earlier, pretrained.get(name))
                if self.settings.init_from or name != self.settings.phases[-1]:
                    state = phase.init(jax.random.key(0), as_arrays(blank_batch(phase, info)))
                    earlier[name] = Finished(phase, state)
            return {name: finished.state for name, finished in earlier.items()}

        return {name: Finished(phases[name], state) for name, state in jax.eval_shape(build).items()}

    def described(self, faces: data.FaceData) -> dict[str, Any]:
        """The data section of the run's record; with the number of images, if a phase stores something for each."""
        counted = any("index" in phase.keys for phase in self.classes.values())
        return training_landmarks.described(faces, faces.info) | ({"pictures": faces.info.images} if counted else {})

    def training_phases(
        self, faces: data.FaceData, pretrained: Mapping[str, Mapping[str, Any]], folder: pathlib.Path
    ) -> list[PhaseRun]:
        """The phases for the loop, with their data, pretrained networks and the start weights in the run's folder."""

        def phase_run(name: str) -> PhaseRun:
            phase = self.classes[name]
            grouping, keys = phase.grouping, phase.keys
            split = faces.train if phase.eval_split == "train" else faces.validation
            eval_batches = pipelines.spaced_batches(split, grouping, self.settings.eval_images, _EVAL_BATCH, keys)
            examples = phase.examples(self.phases[name])
            return PhaseRun(
                name=name,
                steps=self._steps(name, faces.info.images),
                batch_size=self.phases[name].batch_size,
                build=functools.partial(self.build, name, faces.info, pretrained=pretrained.get(name)),
                batches=functools.partial(
                    pipelines.training_batches,
                    faces.train,
                    self.phases[name].batch_size,
                    self.settings.loop.seed,
                    grouping,
                    keys=keys,
                    shard=(jax.process_index(), jax.process_count()),
                ),
                example=pipelines.spaced_batches(
                    faces.train, grouping, examples, examples, keys, most=examples, repeat=True
                )[0],
                eval_batches=eval_batches,
                sample_batch=eval_batches[0],
                start=functools.partial(start_weights.read, folder, name),
            )

        return [phase_run(name) for name in self.phases]

    def restored(self, info: FaceInfo, folder: pathlib.Path) -> dict[str, Finished]:
        """The newest state of every phase with a checkpoint; needs no data."""

        def phase_run(name: str) -> PhaseRun:
            example = blank_batch(self.classes[name], info)
            build = functools.partial(self.build, name, info)
            steps = self._steps(name, info.images)
            return PhaseRun(name, steps, 1, build, lambda: iter(()), example, [example], example)

        return checkpoints.restore_finished([phase_run(name) for name in self.phases], folder)

    def _steps(self, name: str, images: int) -> int:
        """The number of steps of a phase for `images` training images."""
        return self.classes[name].length(self.phases[name], images)

    def _dtype(self) -> Any:
        precision = self.settings.precision
        return jnp.dtype(backend.forms().precision if precision == "auto" else precision)


def _check_rates(where: str, settings: Any) -> None:
    """Raises `ValueError` for an optimizer whose learning-rate schedule does not fit the phase's steps."""
    for field in dataclasses.fields(settings):
        if isinstance(optimizer := getattr(settings, field.name), optimizers.Settings):
            try:
                optimizers.learning_rate(optimizer, settings.steps)
            except ValueError as error:
                raise ValueError(f"{where}.{field.name}: {error}") from None


def chosen(config: Mapping[str, Any], variants: str, known: Sequence[Callable[[ConfigDict], None]]) -> ConfigDict:
    """Applies the comma-separated variants to a config, in the order of `known`, and completes it.

    Raises `ValueError` for a variant that is none of the functions `known`.
    """
    selected, names = set(filter(None, variants.split(","))), [change.__name__ for change in known]
    if unknown := selected - set(names):
        raise ValueError(f"the config has no variant {min(unknown)!r}; it has {', '.join(names)}")
    config = ConfigDict(config)
    for name, change in zip(names, known):
        if name in selected:
            change(config)
    return completed(config.to_dict())


def completed(config: Mapping[str, Any]) -> ConfigDict:
    """A config with all default fields added, so that the command line can set each field."""
    return ConfigDict(with_defaults(config))


def with_defaults(config: Mapping[str, Any]) -> dict[str, Any]:
    """As `completed`, in nested dicts."""
    whole = configs.completed(Settings, config)
    for name, settings in _sections(config).items():
        whole[name] = configs.completed(settings, config.get(name, {}))
    return whole


def upgraded(config: Mapping[str, Any]) -> dict[str, Any]:
    """A stored config with the present defaults of fields that did not exist when its run began.

    A config that cannot be read is returned as it is: a comparison then names its differences.
    """
    try:
        Experiment.read(config)
    except ValueError:
        return dict(config)
    return with_defaults(config)


def scaled(config: ConfigDict, phase: str, batch_size: int) -> None:
    """Gives a phase of a config a batch k times as large, for a GPU that would idle otherwise, on as many images.

    Learning rates grow by √k, the rule for Adam and RMSProp (Malladi et al., "On the SDEs and scaling rules for
    adaptive gradient algorithms", NeurIPS 2022); the decays of the optimizers' own averages stay. Steps, and what a
    schedule counts in steps, are divided by k; the EMA of the weights decays by the power of k in a step.
    """
    section = configs.completed(METHODS[config.method].phases[phase].Settings, config[phase].to_dict())
    k = batch_size / section["batch_size"]
    section["batch_size"], section["steps"] = batch_size, math.ceil(section["steps"] / k)
    if "ema_decay" in section:
        section["ema_decay"] **= k
    for name, optimizer in section.items():
        if name.endswith("optimizer"):
            schedule = optimizer["schedule"]
            for rates in (optimizer, schedule):
                for rate in ("learning_rate", "final_learning_rate"):
                    if rate in rates:
                        rates[rate] *= math.sqrt(k)
            for steps in ("warmup_steps", "every"):
                if schedule.get(steps):
                    schedule[steps] = max(1, round(schedule[steps] / k))
    config[phase] = ConfigDict(section)


def kinds_at(config: Mapping[str, Any], place: str) -> dict[str, type]:
    """The kinds that the section at `place` of a config can have, by name, e.g. optimizers at "generator.optimizer"."""
    section, *rest = place.split(".")
    settings = _sections(config).get(section)
    return configs.kinds_at(settings, config[section], rest) if settings else {}


def _sections(config: Mapping[str, Any]) -> dict[str, type]:
    """The settings of each section of a config; also of phases that have a section and are not run."""
    method = METHODS[config["method"]]
    there = [*config["phases"], *(name for name in method.phases if name in config)]
    phases = {name: method.phases[name].Settings for name in there}
    return {"data": data.Settings, "loop": loop.Settings, **phases, "evaluation": method.evaluation.Settings}


def every(steps: int, *, log: int = 100, images: int | None = None, checkpoint: int | None = None) -> dict[str, int]:
    """A config's `loop`: `steps` between evaluations, sample images and checkpoints, `log` steps between log lines."""
    return {
        "log_every": log,
        "eval_every": steps,
        "images_every": images or steps,
        "checkpoint_every": checkpoint or steps,
    }


def strangers(train: int, *, validation: int = 8) -> dict[str, Any]:
    """Built-in faces of a config's `data`, every image of another person in other light."""
    return {
        "identities": 1,
        "variation": "wild",
        "train_per_identity": train,
        "validation_per_identity": validation,
        "test_per_identity": 500,
    }
