"""The methods: a folder a paper. `METHODS` lists them by the name that a config's `method` has."""

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
    """Adds a method. Raises `ValueError` where there is one of its name."""
    if method.name in METHODS:
        raise ValueError(f"there is a method {method.name!r} already")
    METHODS[method.name] = method


for _method in (_LANDMARKGAN, _DETECTOR, _DFTNET, _EXPRESSION, _BEGAN, _PROJECTION):
    register(_method)
