"""Specification of a method: its training phases, its model for inference, and its evaluation."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from lgan_jax.core import FaceInfo, Finished
from lgan_jax.training.phase import Phase


class ModelSpec(NamedTuple):
    """Specification of a method's model for inference.

    Attributes:
      build: builds the model from `FaceInfo`, a phase and its state, and further finished phases by keyword.
      phases: phases that the model can be built from; the first finished phase is used.
      beside: keyword → phases for this keyword, likewise; omitted if none is finished.
    """

    build: Callable[..., Any]
    phases: tuple[str, ...]
    beside: Mapping[str, tuple[str, ...]] = {}


class EvaluationSpec(NamedTuple):
    """Specification of a method's evaluation.

    Attributes:
      Settings: the config's section `evaluation`.
      evaluate: see `evaluation.harness.Evaluation.run`.
      history: a phase and a metric of its evaluations during training, passed to `evaluate` as `history`; None for
        none.
      inception: whether `evaluate` takes `inception`, loaded from the file `settings.inception`.
      compares: whether `evaluate` takes `others`, the runs in `settings.compare`.
    """

    Settings: type
    evaluate: Callable[..., Any]
    history: tuple[str, str] | None = None
    inception: bool = False
    compares: bool = False


@dataclasses.dataclass(frozen=True)
class MethodSpec:
    """Specification of a method: phases, model and evaluation.

    Attributes:
      name: value of a config's `method`.
      paper: the implemented paper.
      phases: training phases by name, for a config's `phases`.
      model: the model for inference.
      evaluation: the evaluation.
    """

    name: str
    paper: str
    phases: Mapping[str, type[Phase]]
    model: ModelSpec
    evaluation: EvaluationSpec

    def load(self, info: FaceInfo, finished: Mapping[str, Finished]) -> Any:
        """Builds the model of a run. Raises `ValueError` if the run has not finished the necessary phase."""
        start = _first(finished, self.model.phases)
        if start is None:
            *first, last = self.model.phases
            phases = " or ".join([*([", ".join(first)] if first else []), last])
            raise ValueError(f"the run has not reached its {phases} phase yet; train on, then load it again")
        beside = {name: _first(finished, choice) for name, choice in self.model.beside.items()}
        return self.model.build(info, *start, **{name: other for name, other in beside.items() if other})


def _first(finished: Mapping[str, Finished], names: tuple[str, ...]) -> Finished | None:
    return next((finished[name] for name in names if name in finished), None)
