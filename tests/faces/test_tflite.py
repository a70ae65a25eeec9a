"""TensorFlow Lite files that the tests write: every operator against NumPy, and files that are damaged or hostile."""

import struct

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_tflite import Op, constant_network, flatbuffer, model

from lgan_jax.faces.face_landmarker import flatbuffer as flatbuffers
from lgan_jax.faces.face_landmarker import tflite
from lgan_jax.faces.face_landmarker.operators import KINDS

RANDOM = np.random.default_rng(3)
MAPS, OTHER = (RANDOM.normal(size=(1, 5, 6, 4)).astype(np.float32) for _ in range(2))
ROW = RANDOM.normal(size=(4,)).astype(np.float32)
KERNEL = RANDOM.normal(size=(3, 3, 2, 4)).astype(np.float32)  # outputs, rows, columns, inputs
DEPTHWISE = RANDOM.normal(size=(1, 3, 3, 8)).astype(np.float32)  # two outputs for each channel
BIAS3, BIAS8 = RANDOM.normal(size=(3,)).astype(np.float32), RANDOM.normal(size=(8,)).astype(np.float32)


def ints(*values):
    return np.array(values, np.int32)


def windows(x, rows, columns, steps, fill):
    """The windows of TensorFlow's padding SAME, `(h, w, rows, columns, channels)`."""
    pads = []
    for size, window, step in zip(x.shape[1:3], (rows, columns), steps, strict=True):
        total = max((-(-size // step) - 1) * step + window - size, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x[0], (*pads, (0, 0)), constant_values=fill)
    height, width = (-(-size // step) for size, step in zip(x.shape[1:3], steps, strict=True))
    views = [
        [padded[i * steps[0] : i * steps[0] + rows, j * steps[1] : j * steps[1] + columns] for j in range(width)]
        for i in range(height)
    ]
    return np.array(views)


def convolved(x):
    return np.einsum("hwrci,orci->hwo", windows(x, 3, 2, (2, 1), 0), KERNEL)[None] + BIAS3


def depthwise(x):
    kernel = DEPTHWISE[0].reshape(3, 3, 4, 2)
    return np.einsum("hwrci,rcim->hwim", windows(x, 3, 3, (1, 2), 0), kernel).reshape(1, 5, 3, 8) + BIAS8


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu6(x):
    return np.clip(x, 0, 6)


STRIDES = {0: (0, "b"), 1: 1, 2: 2}  # SAME, a column and two rows at a time
CASES = {  # operator → inputs that are computed, constants, options, what NumPy makes of it
    "ADD": [((MAPS, OTHER), (), {0: (1, "b")}, lambda a, b: np.maximum(a + b, 0)), ((MAPS,), (ROW,), {}, np.add)],
    "SUB": [((MAPS,), (ROW,), {}, np.subtract)],
    "MUL": [((MAPS, OTHER), (), {0: (3, "b")}, lambda a, b: relu6(a * b))],
    "DIV": [((MAPS,), (ROW,), {}, np.divide)],
    "SQUARED_DIFFERENCE": [((MAPS,), (ROW,), {}, lambda a, b: (a - b) ** 2)],
    "NEG": [((MAPS,), (), {}, np.negative)],
    "RELU": [((MAPS,), (), {}, lambda a: np.maximum(a, 0))],
    "SQRT": [((np.abs(MAPS),), (), {}, np.sqrt)],
    "RSQRT": [((np.abs(MAPS),), (), {}, lambda a: a**-0.5)],
    "LOGISTIC": [((MAPS,), (), {}, sigmoid)],
    "PRELU": [((MAPS,), (ROW.reshape(1, 1, 4),), {}, lambda a, s: np.where(a > 0, a, s * a))],
    "MEAN": [((MAPS,), (ints(1, 2),), {}, lambda a, _: a.mean((1, 2)))],
    "SUM": [((MAPS,), (ints(3),), {0: (1, "b")}, lambda a, _: a.sum(3, keepdims=True))],
    "TRANSPOSE": [((MAPS,), (ints(0, 3, 1, 2),), {}, lambda a, _: a.transpose(0, 3, 1, 2))],
    "RESHAPE": [
        ((MAPS,), (ints(1, 30, 4),), {}, lambda a, _: a.reshape(1, 30, 4)),
        ((MAPS,), (), {0: ints(2, 60)}, lambda a: a.reshape(2, 60)),
    ],
    "PAD": [((MAPS,), (ints(0, 0, 1, 0, 0, 2, 0, 3).reshape(4, 2),), {}, lambda a, p: np.pad(a, p))],
    "CONCATENATION": [((MAPS, OTHER), (), {0: 3}, lambda a, b: np.concatenate([a, b], 3))],
    "STRIDED_SLICE": [
        (
            (MAPS,),
            (ints(0, 1, 4, 2), ints(1, 4, 0, 3), ints(1, 2, -1, 1)),
            {0: 1, 1: 1, 4: 8},
            lambda a, *_: a[:, 1:4:2, 4:0:-1, 2],
        )
    ],
    "MAX_POOL_2D": [
        ((MAPS,), (), STRIDES | {3: 3, 4: 2}, lambda a: windows(a, 2, 3, (2, 1), -np.inf).max((2, 3))[None])
    ],
    "CONV_2D": [((MAPS,), (KERNEL, BIAS3), STRIDES | {3: (1, "b")}, lambda a, *_: np.maximum(convolved(a), 0))],
    "DEPTHWISE_CONV_2D": [((MAPS,), (DEPTHWISE, BIAS8), {0: (0, "b"), 1: 2, 2: 1, 3: 2}, lambda a, *_: depthwise(a))],
    "DEQUANTIZE": [((), (MAPS.astype(np.float16),), {}, lambda a: a.astype(np.float32))],
}


def test_every_operator_has_a_case():
    assert {kind.name for kind in KINDS.values()} == set(CASES)


@pytest.mark.parametrize(("name", "case"), [(name, case) for name, cases in CASES.items() for case in cases])
def test_operators_agree_with_numpy(name, case):
    computed, constants, options, expected = case
    (code,) = (code for code, kind in KINDS.items() if kind.name == name)
    arrays = (*computed, *constants)
    wanted = expected(*arrays)
    tensors = [(x.shape, None) for x in computed] + [(x.shape, x) for x in constants]
    # The operator's output passes through NEG twice, as a constant's DEQUANTIZE is done while reading.
    tensors += [(wanted.shape, None)] * 3
    last = len(arrays)
    operators = [
        Op(code, range(last), (last,), options),
        Op(59, (last,), (last + 1,)),
        Op(59, (last + 1,), (last + 2,)),
    ]
    network = tflite.read(model(tensors, operators, range(len(computed)), (last + 2,)))
    (made,) = network(network.weights, *(jnp.asarray(x) for x in computed))
    assert made.shape == network.outputs[0]
    np.testing.assert_allclose(made, wanted, rtol=2e-5, atol=2e-6)


def small():
    """A convolution, PReLU and a mean, with an absent bias and half-precision weights."""
    slope = ROW[:3].reshape(1, 1, 3)
    tensors = [
        (MAPS.shape, None),
        (KERNEL.shape, KERNEL.astype(np.float16)),
        (KERNEL.shape, None),
        ((1, 3, 6, 3), None),
        (slope.shape, slope),
        ((1, 3, 6, 3), None),
        ((2,), ints(1, 2)),
        ((1, 3), None),
    ]
    operators = [Op(6, (1,), (2,)), Op(3, (0, 2, -1), (3,), STRIDES), Op(54, (3, 4), (5,)), Op(40, (5, 6), (7,))]
    return model(tensors, operators, (0,), (7,))


def test_a_network_is_a_pure_function_to_batch_and_to_differentiate():
    network = tflite.read(small())
    assert network.inputs == ((1, 5, 6, 4),)
    assert {w.shape for w in network.weights.values()} == {KERNEL.shape, (1, 1, 3)}
    batch = np.stack([MAPS, OTHER])
    together = jax.vmap(lambda x: network(network.weights, x)[0])(batch)
    apart = [network(network.weights, jnp.asarray(x))[0] for x in batch]
    np.testing.assert_allclose(together, np.stack(apart), rtol=1e-5, atol=1e-6)

    def loss(weights, x):
        return (network(weights, x)[0] ** 2).sum()

    gradients = jax.grad(loss, argnums=(0, 1))(dict(network.weights), jnp.asarray(MAPS))
    step = 1e-2 * OTHER
    change = loss(network.weights, jnp.asarray(MAPS + step)) - loss(network.weights, jnp.asarray(MAPS - step))
    np.testing.assert_allclose(2 * (gradients[1] * step).sum(), change, rtol=2e-2)
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))


PAIR = [((1, 4), None), ((1, 4), None)]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no TFL3 flatbuffer"),
        (b"PK\x03\x04" * 9, "no TFL3 flatbuffer"),
        (flatbuffer({0: (4, "I")}), "version 4"),
        (flatbuffer({0: (3, "I")}), "0 graphs"),
        (model(PAIR, [Op(32, (0,), (1,))], (0,), (1,)), "operator 32"),
        (model(PAIR, [Op(59, (9,), (1,))], (0,), (1,)), "names a tensor"),
        (model(PAIR, [Op(59, (0,), (-1,))], (0,), (1,)), "names a tensor"),
        (model(PAIR, [Op(59, (1,), (1,))], (0,), (1,)), "nothing before it makes"),
        (model(PAIR, [Op(59, (0,), (1,))], (0,), (0, 1), version=3)[:-9], "beyond its end"),
        (model([((1, 4), None), ((2, 2), None)], [Op(59, (0,), (1,))], (0,), (1,)), r"computes an array \(1, 4\)"),
        (model(PAIR, [Op(0, (0,), (1,))], (0,), (1,)), "ADD.* cannot run"),
        (model([((1, 4), None), ((1, 4), ints(1, 2, 3))], [Op(0, (0, 1), (0,))], (0,), (0,)), r"\(1, 4\)"),
        (model([((2**13, 2**13), None)], [], (0,), (0,)), "elements"),
        (model([((-1, 4), None)], [], (0,), (0,)), "cannot be"),
        (model(PAIR, [Op(22, (0, 0), (1,))], (0,), (1,)), "not a constant"),
        (
            model([((1, 4), None), ((2,), ints(2, 0)), ((1, 4), None)], [Op(34, (0, 1), (2,))], (0,), (2,)),
            r"computes an array \(3, 6\)",
        ),
        (model([((1, 4), None), ((1, 4), np.zeros((1, 4), np.uint8))], [], (0,), (0,)), "type of code 3"),
        (model(PAIR, [], (0,), (1,)), "computed by no operator"),
        (constant_network((1, 3, 3, 2), *[np.zeros((1, 2), np.float32)] * 9)[:60], "beyond its end"),
    ],
)
def test_says_in_one_line_what_is_wrong(data, message):
    with pytest.raises(ValueError, match=message) as error:
        tflite.read(data)
    assert "\n" not in str(error.value)


def test_a_vector_that_is_longer_than_the_file_is_refused_before_it_is_made():
    data = bytearray(small())
    start = data.index(struct.pack("<I", KERNEL.size * 2) + KERNEL.astype(np.float16).tobytes())
    struct.pack_into("<I", data, start, 2**32 - 1)
    with pytest.raises(ValueError, match="4,294,967,295 elements"):
        tflite.read(bytes(data))


def test_constants_that_share_a_buffer_cannot_fill_the_memory():
    array = np.zeros((40, 40), np.float32)
    root = flatbuffers.root(model([(array.shape, array)] * 9, [], (), ()), b"TFL3")
    tensors, buffers = root.tables(2)[0].tables(0), root.tables(4)
    assert len(tflite.read_constants(tensors, [array.shape] * 9, buffers, most=9 * array.nbytes)) == 9
    with pytest.raises(ValueError, match="bytes of values"):
        tflite.read_constants(tensors[:1] * 9, [array.shape] * 9, buffers, most=8 * array.nbytes)


def test_damaged_files_give_one_line():
    data = small()
    random = np.random.default_rng(5)
    refused = 0
    for cut in range(0, len(data), 23):
        with pytest.raises(ValueError):  # noqa: PT011 - whichever line
            tflite.read(data[:cut])
    for _ in range(60):
        changed = bytearray(data)
        for place in random.integers(0, len(data), 3):
            changed[place] = random.choice((0, 1, 127, 128, 255, changed[place] ^ 4))
        try:
            tflite.read(bytes(changed))
        except ValueError:  # anything else fails the test
            refused += 1
    assert refused > 10
