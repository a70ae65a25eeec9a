"""The table of forms: chosen by the backend, overridden by `using`; every form of an accelerator, run on a CPU."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax import inversion, optimizers
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.ops import backend
from lgan_jax.ops.convolution import convolve, convolve_transposed, convolve_upsampled
from lgan_jax.ops.modulated import modulated_convolve

RNG = np.random.default_rng(0)


def normal(*shape):
    return jnp.asarray(RNG.normal(size=shape), jnp.float32)


IMAGE, STYLES = normal(2, 6, 8, 5), normal(2, 5)
OPERATIONS = {  # each with both forms, of a kernel of this size
    "convolution": (functools.partial(convolve, IMAGE, padding=((1, 1), (1, 1))), 3),
    "convolution of stride 2": (functools.partial(convolve, IMAGE, stride=2), 2),
    "transposed convolution": (functools.partial(convolve_transposed, IMAGE), 4),
    "upsampling and convolution": (functools.partial(convolve_upsampled, IMAGE), 3),
    "modulated convolution": (lambda kernel: modulated_convolve(IMAGE, kernel, STYLES), 3),
    "modulated transposed convolution": (lambda kernel: modulated_convolve(IMAGE, kernel, STYLES, up=True), 3),
}


def test_the_backend_chooses_and_using_overrides(monkeypatch):
    assert backend.forms() == backend.CPU
    with backend.using(backend.ACCELERATOR):
        assert backend.forms() == backend.ACCELERATOR
        with backend.using(backend.CPU):
            assert backend.forms() == backend.CPU
        assert backend.forms() == backend.ACCELERATOR
    assert backend.forms() == backend.CPU
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert backend.forms() == backend.ACCELERATOR


def test_every_entry_of_the_table_differs_and_so_is_compared_here():
    assert all(ours != theirs for ours, theirs in zip(backend.CPU, backend.ACCELERATOR))


@pytest.mark.parametrize("name", OPERATIONS)
def test_forms_of_an_operation_agree_in_values_and_gradients(name):
    operation, size = OPERATIONS[name]
    kernel = jnp.asarray(np.random.default_rng(1).normal(size=(size, size, 5, 3)), jnp.float32)

    def computed(forms):
        with backend.using(forms):
            fresh = lambda kernel: operation(kernel)  # noqa: E731 JAX keeps the program of a function that it has traced
            program, (value, back) = jax.make_jaxpr(fresh)(kernel), jax.vjp(lambda kernel: operation(kernel), kernel)
            return str(program), value, *back(jnp.cos(jnp.arange(value.size, dtype=jnp.float32)).reshape(value.shape))

    ours, theirs = computed(backend.CPU), computed(backend.ACCELERATOR)
    assert ours[0] != theirs[0]
    for one, other in zip(ours[1:], theirs[1:]):
        np.testing.assert_allclose(one, other, atol=2e-5 * float(jnp.abs(other).max()))


def test_chunks_of_either_size_give_the_same():
    inputs, sizes = np.arange(21, dtype=np.float32)[:, None], []

    def apply(chunk):
        sizes.append(len(chunk))
        return chunk * 2

    for forms, expected in ((backend.CPU, [4] * 6), (backend.ACCELERATOR, [16] * 2)):
        sizes.clear()
        with backend.using(forms):
            np.testing.assert_array_equal(in_chunks(apply, inputs), inputs * 2)
        assert sizes == expected


def test_a_search_by_calls_and_one_in_a_loop_find_the_same():
    targets = np.random.default_rng(2).uniform(-1, 1, (5, 3)).astype(np.float32)
    optimizer = optimizers.Adam(learning_rate=0.1)
    settings = inversion.Settings(steps=11, optimizer=optimizer, tolerance=0.0, slots=2, every=4)

    def objective(shared, parameters, target, moment):
        return ((parameters - target) ** 2).sum(-1), {}

    found = []
    for forms in (backend.CPU, backend.ACCELERATOR):
        with backend.using(forms):
            found.append(inversion.Inverter(objective, settings)(None, np.zeros_like(targets), targets))
    np.testing.assert_allclose(found[0].parameters, found[1].parameters, atol=1e-6)
    np.testing.assert_allclose(found[0].loss, found[1].loss, atol=1e-6)
    assert found[0].steps.tolist() == found[1].steps.tolist()
