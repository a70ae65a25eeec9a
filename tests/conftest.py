"""Tests run on the CPU; shapes and types of public functions are checked at every call."""

import jax
from jaxtyping import install_import_hook

install_import_hook("lgan_jax", "beartype.beartype")
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
