"""Tests run on the CPU; shapes and types of public functions are checked at every call."""

import os

# Most of the tests' time goes into compiling networks that run once: let XLA not optimise them.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_backend_optimization_level=0"

import jax
from jaxtyping import install_import_hook

install_import_hook("lgan_jax", "beartype.beartype")
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
