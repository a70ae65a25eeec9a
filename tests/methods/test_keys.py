"""No key of random numbers is used twice in a step, nor are others made of one that is used."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_editors import faces, small_editor
from small_methods import INFO, one_of_each, small_detector
from small_stylegan2 import small_stylegan2
from small_synthesizers import couples, small_synthesizer

from lgan_jax.core import Finished
from lgan_jax.methods.landmarkgan.reference import ReferencePhase
from lgan_jax.methods.projection.stylegan2 import PATH, R1
from lgan_jax.ops import augment

CHANGES = augment.Settings(rotation=5.0, mirror=True, brightness=0.1, blur=0.3)
DRAWS = ("normal", "uniform", "bernoulli", "randint", "bits", "permutation", "choice")
MAKES = ("split", "fold_in")


def reference():
    """The generator phase that refines frames, after a detector that has learned nothing."""
    detector = small_detector(INFO)
    earlier = {"detector": Finished(detector, begun(detector, one_of_each(INFO, 2)))}
    small = {"form": "reference", "references": 2, "width": 0.1, "discriminator_width": 2, "steps": 20}
    return ReferencePhase(ReferencePhase.Settings(**small), INFO, jnp.float32, earlier)


def begun(method, batch):
    """A state of ones."""
    shapes = jax.eval_shape(method.init, jax.random.key(0), batch)
    return jax.tree.map(lambda x: jnp.ones(x.shape, x.dtype), shapes)


STEPS = {
    "reference": (reference, lambda: one_of_each(INFO, 2), {"variant": True}),
    "synthesizer": (lambda: small_synthesizer(augmentation=CHANGES), lambda: couples(4), {"variant": True}),
    "editor": (lambda: small_editor(augmentation=CHANGES, discriminator_updates=2), lambda: faces(4), {}),
    "stylegan2": (
        lambda: small_stylegan2(loss="relativistic"),
        lambda: {"image": np.zeros((4, 8, 8, 3), np.float32)},
        {"variant": (R1, PATH)},
    ),
}


@pytest.fixture
def used(monkeypatch):
    """The keys that numbers were drawn with, and those that others were made of, as they run."""
    keys = {"drawn": [], "made of": []}

    def noting(name, kind):
        original = getattr(jax.random, name)

        def noted(key, *args, **kwargs):
            jax.debug.callback(lambda data: keys[kind].append(tuple(np.ravel(data).tolist())), jax.random.key_data(key))
            return original(key, *args, **kwargs)

        return noted

    for kind, names in (("drawn", DRAWS), ("made of", MAKES)):
        for name in names:
            monkeypatch.setattr(jax.random, name, noting(name, kind))
    return keys


@pytest.mark.parametrize("name", STEPS)
def test_no_key_is_used_twice(name, used):
    """Of the step nothing is computed but its keys: nothing else is asked for."""
    make, batch, variant = STEPS[name]
    method, batch = make(), batch()
    state = begun(method, batch)
    for seen in used.values():
        seen.clear()

    @jax.jit
    def step(state, batch, key):
        spread = jax.tree.map(lambda x: jnp.asarray(x)[None], batch)
        jax.vmap(lambda *args: method.train_step(*args, **variant), (None, 0, None), axis_name="data")(
            state, spread, key
        )

    step(state, batch, jax.random.key(3))
    jax.effects_barrier()
    drawn = used["drawn"]
    assert len(drawn) >= len(batch["image"])
    assert len(set(drawn)) == len(drawn)
    assert not set(drawn) & set(used["made of"])
