"""What a paper's folder declares of itself: its phases, the model that comes out, and its evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.training.phase import Phase


class ModelSpec(NamedTuple):
    """What a user gets of a trained run.

    Attributes:
      build: from `FaceInfo`, a phase and its state, and further finished phases by keyword.
      phases: those that it can be built from; the first that is there is taken.
      beside: keyword → the phases that it can be, likewise; left out where none is there.
    """

    build: Callable[..., Any]
    phases: tuple[str, ...]
    beside: Mapping[str, tuple[str, ...]] = {}


class EvaluationSpec(NamedTuple):
    """What is measured of a trained run.

    Attributes:
      Settings: the config's section `evaluation`.
      evaluate: see `evaluation.harness.Evaluation.run`.
      history: a phase and a metric of its evaluations while it was trained, which `evaluate` is given as `history`;
        None for none.
      inception: whether `evaluate` is given `inception`, of the file that `settings.inception` names.
      compares: whether `evaluate` is given `others`, the runs that `settings.compare` names.
    """

    Settings: type
    evaluate: Callable[..., Any]
    history: tuple[str, str] | None = None
    inception: bool = False
    compares: bool = False


@dataclasses.dataclass(frozen=True)
class MethodSpec:
    """One method.

    Attributes:
      name: as a config's `method` has it.
      paper: what it implements.
      phases: that a config can list, by name.
      model: what a user gets.
      evaluation: what is measured.
    """

    name: str
    paper: str
    phases: Mapping[str, type[Phase]]
    model: ModelSpec
    evaluation: EvaluationSpec

    def load(self, info: FaceInfo, finished: Mapping[str, Finished]) -> Any:
        """The model of a run that has come far enough. Raises `ValueError` where it has not."""
        start = _first(finished, self.model.phases)
        if start is None:
            phases = " or ".join(self.model.phases)
            raise ValueError(f"the run has not reached its {phases} phase yet; train on, then load it again")
        beside = {name: _first(finished, choice) for name, choice in self.model.beside.items()}
        return self.model.build(info, *start, **{name: other for name, other in beside.items() if other})


def _first(finished: Mapping[str, Finished], names: tuple[str, ...]) -> Finished | None:
    return next((finished[name] for name in names if name in finished), None)
