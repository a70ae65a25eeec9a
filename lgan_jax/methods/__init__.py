"""The methods, one folder per paper. `METHODS` maps a config's `method` to its specification."""

from lgan_jax.methods.began import METHOD as _BEGAN
from lgan_jax.methods.detector import METHOD as _DETECTOR
from lgan_jax.methods.dftnet import METHOD as _DFTNET
from lgan_jax.methods.expression import METHOD as _EXPRESSION
from lgan_jax.methods.landmarkgan import METHOD as _LANDMARKGAN
from lgan_jax.methods.projection import METHOD as _PROJECTION
from lgan_jax.methods.spec import EvaluationSpec, MethodSpec, ModelSpec

__all__ = ["METHODS", "EvaluationSpec", "MethodSpec", "ModelSpec", "register"]

METHODS: dict[str, MethodSpec] = {}


def register(method: MethodSpec) -> None:
    """Registers a method. Raises `ValueError` if its name is taken."""
    if method.name in METHODS:
        raise ValueError(f"the method {method.name!r} is already registered")
    METHODS[method.name] = method


for _method in (_LANDMARKGAN, _DETECTOR, _DFTNET, _EXPRESSION, _BEGAN, _PROJECTION):
    register(_method)
