"""What a phase takes from earlier phases is in its state: no compiled program holds an array of theirs."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small_editors
import small_faces
from small_methods import started
from small_synthesizers import couples, small_synthesizer, small_vgg

from lgan_jax.core import Finished
from lgan_jax.methods.began.landmark_generator import LandmarkGeneratorPhase
from lgan_jax.methods.landmarkgan.generator import LandmarksPhase

LEAST = 64  # bytes; what is smaller, or all alike, is not told from a constant of the program


def landmark_generator(*_):
    """With the z of so many training images that nobody would want them in a program."""
    count = 5_000
    phases = dict(small_faces.finished())
    z = np.random.default_rng(0).uniform(-1, 1, (count, 64)).astype(np.float32)
    found = phases["inverse"].state.with_variables(z=z, error=np.linspace(-1, 1, count, dtype=np.float32))
    phases["inverse"] = phases["inverse"]._replace(state=found)
    info = dataclasses.replace(small_faces.FACES, images=count)
    phase = LandmarkGeneratorPhase(LandmarkGeneratorPhase.Settings(batch_size=6), info, jnp.float32, phases)
    return phase, small_faces.pictures(6), [phases[name].state for name in ("began", "inverse")]


def inverse(*_):
    phases = small_faces.finished()
    return phases["inverse"].phase, small_faces.pictures(6), [phases["began"].state]


def generator(info, batch, earlier):
    settings = LandmarksPhase.Settings(batch_size=3, width=1 / 64, discriminator_width=2)
    phase = LandmarksPhase(settings, info, jnp.float32, earlier)
    return phase, batch, [finished.state for finished in earlier.values()]


def flow(*_):
    regressor = small_editors.small_regressor()
    finished = Finished(regressor, started(regressor, small_editors.faces(3)))
    return small_editors.small_flow({"regressor": finished}), small_editors.faces(3), [finished.state]


def synthesizer(*_):
    vgg19 = small_vgg()
    return small_synthesizer(vgg19="vgg19.pth", pretrained=vgg19), couples(6), [vgg19["vgg19"].variables]


def constants(program):
    """Every array that a program, or one inside of it, holds."""
    found = list(getattr(program, "consts", ()))
    for equation in getattr(program, "jaxpr", program).eqns:
        for inner in jax.tree.leaves(equation.params, is_leaf=lambda x: hasattr(x, "eqns")):
            found += constants(inner) if hasattr(inner, "eqns") else []
    return found


def programs(phase, batch):
    state = jax.eval_shape(phase.init, jax.random.key(0), batch)
    yield jax.make_jaxpr(phase.eval_step)(state, batch)
    yield jax.make_jaxpr(phase.sample_images)(state, batch)
    if not phase.host_step:
        step = jax.vmap(lambda *args: phase.train_step(*args, phase.step_variant(0)), (0, 0, None), axis_name="data")
        shapes = jax.tree.map(lambda x: jax.ShapeDtypeStruct((1, *x.shape), x.dtype), (state, batch))
        yield jax.make_jaxpr(step)(*shapes, jax.random.key(1))


def contents(arrays):
    """The bytes of arrays that are large enough to be known again."""
    arrays = [np.asarray(x) for x in arrays if not jnp.issubdtype(x.dtype, jax.dtypes.extended)]
    return {x.tobytes() for x in arrays if x.nbytes >= LEAST and (x != x.flat[0]).any()}


@pytest.mark.parametrize("make", [landmark_generator, inverse, generator, flow, synthesizer])
def test_no_program_of_a_phase_holds_what_earlier_phases_left(make, info, batch, earlier):
    phase, batch, states = make(info, batch, earlier)
    theirs = contents(jax.tree.leaves(states))
    assert theirs
    held = [x for program in programs(phase, batch) for x in constants(program)]
    assert not contents(held) & theirs
    assert max((np.asarray(x).nbytes for x in held if hasattr(x, "nbytes")), default=0) < 100_000


def test_constants_of_a_program_are_found():
    table = np.arange(100, dtype=np.float32)
    inner = jax.jit(lambda x: x * jnp.asarray(table))
    program = jax.make_jaxpr(lambda x: jax.lax.cond(x.sum() > 0, inner, lambda x: x, x))(jnp.ones(100))
    assert contents(constants(program)) == contents([table])
