"""The training steps of a config at their own size, as functions of abstract arrays: nothing is trained for them."""

from __future__ import annotations

import collections
import dataclasses
import importlib
from collections.abc import Hashable, Iterator
from typing import Any

import jax
import numpy as np

from lgan_jax import experiment, landmarks
from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, blank_batch
from lgan_jax.experiment import Experiment
from lgan_jax.ops import backend
from lgan_jax.training.phase import Phase
from lgan_jax.training.train_state import TrainState

CONFIGS = ("wflw", "celebv", "emotionet", "photos", "ck_plus", "oulu_casia", "celeba", "ffhq")


@dataclasses.dataclass(frozen=True, eq=False)
class Step:
    """A step variant of a phase; one compiled program.

    Attributes:
      config: name and variants, `celebv:quick`.
      phase: the phase's name.
      variant: see `Phase.step_variant`.
      share: of the phase's steps, that are of this variant.
      steps: of the phase, all variants.
      batch_size: of the phase.
      method: the phase, on blank states of the phases before it.
      state: the phase's state, abstract.
    """

    config: str
    phase: str
    variant: Hashable
    share: float
    steps: int
    batch_size: int
    method: Phase
    state: TrainState

    @property
    def name(self) -> str:
        """`config/phase`, and the variant where the phase has several."""
        several = "" if self.share == 1 else f"/{'+'.join(map(str, self.variant)) or 'plain'}"
        return f"{self.config}/{self.phase}{several}"

    def batch(self, count: int) -> dict[str, jax.ShapeDtypeStruct]:
        """An abstract batch of `count` examples."""
        blank = blank_batch(self.method, self.method.faces)
        return {key: jax.ShapeDtypeStruct((count, *x.shape[1:]), x.dtype) for key, x in blank.items()}

    def shapes(self, count: int) -> tuple[Any, ...]:
        """The abstract arguments of a call with `count` examples."""
        return self.state, self.batch(count), jax.ShapeDtypeStruct((), np.int32)

    def __call__(self, state: TrainState, batch: Batch, seed: jax.Array) -> tuple[TrainState, Metrics]:
        """The step, on one device's share; traced as for a GPU."""
        with backend.using(backend.ACCELERATOR):
            return self.method.train_step(state, batch, jax.random.key(seed), self.variant)


_TINY = {  # fields of every phase, for a trial without a GPU
    "steps": 2,
    "batch_size": 4,
    "width": 8,
    "depth": 1,
    "blocks": 1,
    "units": 1,
    "discriminator_width": 4,
    "discriminator_updates": 1,
    "mbstd_group_size": 4,
    "channel_base": 64,
    "channel_max": 4,
    "z_dim": 4,
    "w_dim": 4,
    "mapping_layers": 1,
}


def config_of(name: str, tiny: bool = False) -> dict[str, Any]:
    """The config `name`, such as `celebv:quick`, as nested dictionaries; `tiny` shrinks all that costs time."""
    module, _, variants = name.partition(":")
    if module not in CONFIGS:
        raise ValueError(f"there is no config {module!r}; the configs are {', '.join(CONFIGS)}")
    config = importlib.import_module(f"configs.{module}").get_config(variants).to_dict()
    return _shrunk(config) if tiny else config


def _shrunk(config: dict[str, Any]) -> dict[str, Any]:
    per_identity = {f"{split}_per_identity": 4 for split in ("train", "validation", "test")}
    config["data"]["size"] = 64
    config["data"]["built_in"] |= {"identities": 2, **per_identity}
    config["eval_images"] = 2
    for phase in config["phases"]:
        section = config[phase]
        section |= {field: value for field, value in _TINY.items() if field in section}
        if phase in ("converter", "generator", "joint"):
            section["width"] = 16 if phase == "converter" else 0.02
    return config


def all_configs() -> list[str]:
    """Every config as published and, but for `photos`, which is for a GPU as it is, its variant `gpu`."""
    return [each for name in CONFIGS for each in (name, *([f"{name}:gpu"] if name != "photos" else []))]


def steps_of(name: str, tiny: bool = False) -> Iterator[Step]:
    """The steps of every phase of a config (see `config_of`), but of phases that compile their own (`host_step`).

    Phases take blank states of the phases before: a step that closes over them has them as constants.
    """
    read = Experiment.read(config_of(name, tiny))
    settings = read.settings.data
    people = tuple(f"person {i}" for i in range(settings.built_in.identities))
    scheme = landmarks.scheme(settings.scheme)
    info = FaceInfo(scheme, settings.size, people, settings.built_in.count("train"))
    earlier: dict[str, Finished] = {}
    with backend.using(backend.ACCELERATOR):
        for phase in read.settings.phases:
            method = read.build(phase, info, earlier)
            state = _initial(method)
            if not method.host_step:
                yield from _variants(name, phase, method, state, read)
            earlier[phase] = Finished(method, jax.tree.map(lambda x: np.zeros(x.shape, x.dtype), state))


def _initial(method: Phase) -> TrainState:
    count = method.examples(method.settings)
    blank = blank_batch(method, method.faces)
    batch = {key: jax.ShapeDtypeStruct((count, *x.shape[1:]), x.dtype) for key, x in blank.items()}
    return jax.eval_shape(lambda batch: method.init(jax.random.key(0), batch), batch)


def _variants(name: str, phase: str, method: Phase, state: TrainState, read: experiment.Experiment) -> Iterator[Step]:
    steps = read.classes[phase].length(method.settings, method.faces.images)
    counted = collections.Counter(method.step_variant(step) for step in range(steps))
    for variant, count in counted.items():
        yield Step(name, phase, variant, count / steps, steps, method.settings.batch_size, method, state)
