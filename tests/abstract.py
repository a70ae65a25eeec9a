"""Shapes and types of what a function gives, without compiling it."""

import jax

from lgan_jax.core import DATA_AXIS


def on_one_device(function, *arguments):
    """`jax.eval_shape` of a training step as the loop's only device takes it; faster to trace than under `vmap`."""
    return jax.make_jaxpr(function, axis_env=[(DATA_AXIS, 1)], return_shape=True)(*arguments)[1]
