"""Very small networks and batches for the tests of the methods; every size is different from every other."""

import functools

import abstract
import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.core import FaceInfo
from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.detector.phases import DetectorPhase
from lgan_jax.methods.landmarkgan.converter import ConverterPhase
from lgan_jax.optimizers import Adam

ADAM = Adam(learning_rate=3e-3)
INFO = FaceInfo(IBUG68, 32, ("Ada", "Grace"))


def one_of_each(info, count):
    """Smooth pictures whose colours depend on the identity, and landmarks in the middle of the picture."""
    rng = np.random.default_rng(0)
    people, points, size = len(info.identities), info.scheme.count, info.size
    colour = rng.uniform(-0.8, 0.8, (1, people, 1, 1, 3)) * np.ones((count, people, size, size, 3))
    slope = np.linspace(-0.2, 0.2, size)[None, None, :, None, None]
    return {
        "image": (colour + slope).astype(np.float32),
        "landmarks": rng.uniform(0.2, 0.8, (count, people, points, 2)).astype(np.float32),
        "identity": np.tile(np.arange(people, dtype=np.int32), (count, 1)),
    }


def single(batch):
    """A batch of one of each as one of single pictures."""
    return {name: x.reshape(-1, *x.shape[2:]) for name, x in batch.items()}


@functools.lru_cache(4)
def compiled(method, **variant):
    """`train_step` on one device, as the loop runs it but for the leading axes; the last ones are kept."""
    step = jax.pmap(functools.partial(method.train_step, **variant), "data", in_axes=(0, 0, None))

    def run(state, batch, key):  # the axis comes and goes on the host, where nothing is compiled for it
        made = step(*jax.tree.map(lambda x: np.asarray(x)[None], (state, batch)), key)
        return jax.device_put(jax.tree.map(lambda x: np.asarray(x)[0], made))

    return run


def trained_on(method, batch, steps):
    """A phase, its first state, and the states and metrics of its steps on one batch."""
    first = state = started(method, batch)
    step, history = compiled(method), []
    for i in range(steps):
        state, metrics = step(state, batch, jax.random.key(i))
        history.append((state, metrics))
    return method, first, history


def assert_ema_warms_up(trained, networks, layer):
    """After step 0 the EMA is 0.1·start + 0.9·trained."""
    _, before, history = trained
    after = history[0][0]
    start, now, ema = (x[networks][layer]["kernel"] for x in (before.ema, after.params, after.ema))
    np.testing.assert_allclose(ema, 0.1 * start + 0.9 * now, rtol=1e-4, atol=1e-6)


def on_two_devices(method, state, batch, key, of=None, **variant):
    """One `train_step` of two devices with half of the batch each; what comes back has an axis of devices first."""
    return jax.device_get(_on(2, method, of, **variant)(state, batch, key))


def figures_of(method, state, batch, key, **variant):
    """The metrics of one `train_step` on one device; gradients that they do not need are not compiled."""
    return jax.tree.map(lambda x: x[0], jax.device_get(_on(1, method, metrics_alone, **variant)(state, batch, key)))


def metrics_alone(state, metrics):
    return metrics


@functools.lru_cache(4)
def _on(devices, method, of, **variant):
    """`train_step` of devices with a share of the batch each, compiled, or what `of` takes of its state and metrics."""
    step = jax.vmap(functools.partial(method.train_step, **variant), in_axes=(None, 0, None), axis_name="data")

    @jax.jit
    def run(state, batch, key):
        shares = {name: x.reshape(devices, -1, *x.shape[1:]) for name, x in batch.items()}
        made = step(state, shares, key)
        return made if of is None else of(*made)

    return run


@functools.lru_cache(4)
def jitted(method, name):
    """A method's function, compiled; the last ones are kept."""
    return jax.jit(getattr(method, name))


def started(method, batch):
    return jitted(method, "init")(jax.random.key(7), batch)


def abstract_step(method, batch, **variant):
    """Shapes of the state and of the metrics after one step, without compiling it."""
    state = jax.eval_shape(method.init, jax.random.key(0), batch)
    return abstract.on_one_device(functools.partial(method.train_step, **variant), state, batch, jax.random.key(1))


def largest_change(before, after):
    """For each leaf, the largest absolute difference; every value must be finite."""
    before, after = (list(map(np.asarray, jax.tree.leaves(tree))) for tree in (before, after))
    assert all(np.isfinite(x).all() for x in after)
    return [float(np.abs(a - b).max()) for a, b in zip(before, after, strict=True)]


def small_detector(info, dtype=jnp.float32, **options):
    settings = DetectorPhase.Settings(steps=20, batch_size=6, optimizer=ADAM, width=8, depth=1, **options)
    return DetectorPhase(settings, info, dtype, {})


def small_converter(info):
    return ConverterPhase(
        ConverterPhase.Settings(steps=20, batch_size=3, optimizer=ADAM, width=24), info, jnp.float32, {}
    )
