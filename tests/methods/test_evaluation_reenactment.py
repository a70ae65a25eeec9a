import dataclasses

import bare_faces
import numpy as np
import pytest

from lgan_jax.data import synthetic
from lgan_jax.landmarks import WFLW98, mirrored
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.landmarkgan.evaluation.image_grids import strongest_expression, worst
from lgan_jax.methods.landmarkgan.evaluation.reenactment import Cases, Frames, asymmetry, most_frontal
from lgan_jax.methods.landmarkgan.evaluation.tables import worst_identity
from lgan_jax.metrics.image_quality import compare, l1
from lgan_jax.ops.spacing import evenly_spaced


def _turned(**pose):
    sample = synthetic.sample(synthetic.Settings(), "test", 0)
    straight = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "lopsided": 0.0}
    return bare_faces.landmarks(dataclasses.replace(sample, **(straight | pose)))


def test_frontal_is_by_the_turn_of_the_head_alone():
    faces = np.stack([_turned(yaw=30.0), _turned(yaw=-12.0), _turned(), _turned(roll=14.0), _turned(yaw=-22.0)])
    values = asymmetry(faces, WFLW98)
    assert set(most_frontal(faces, WFLW98)[:2]) == {2, 3}
    assert list(most_frontal(faces, WFLW98)[2:]) == [1, 4, 0]
    np.testing.assert_allclose(asymmetry(mirrored(faces, WFLW98), WFLW98), values, atol=1e-6)


def test_a_face_made_symmetric_is_frontal_wherever_it_lies():
    face = _turned(yaw=25.0)
    face = (face + mirrored(face, WFLW98)) / 2
    angle = np.deg2rad(20)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = (0.7 * face @ rotation + [0.1, -0.2]).astype(np.float32)
    assert asymmetry(moved, WFLW98) == pytest.approx(0, abs=1e-6)
    with pytest.raises(ValueError, match="the same point"):
        asymmetry(np.zeros((98, 2), np.float32), WFLW98)


def test_bytes_and_floats():
    values = np.array([-1.2, -1, 0, 1, 1.2, -0.5], np.float32).reshape(2, 1, 3)
    assert to_bytes(values).ravel().tolist() == [0, 0, 128, 255, 255, 64]
    every = np.arange(258).astype(np.uint8).reshape(2, 43, 3)
    np.testing.assert_array_equal(to_bytes(to_floats(every)), every)


def test_evenly():
    assert evenly_spaced(np.arange(10, 20), 4).tolist() == [10, 13, 16, 19]
    assert evenly_spaced(np.arange(3), 5).tolist() == [0, 1, 2]
    assert evenly_spaced(np.arange(5), 1).tolist() == [2]


def test_chunks_change_nothing():
    rng = np.random.default_rng(0)
    ones, others = rng.integers(0, 256, (2, 35, 4, 6, 3), np.uint8)
    expected = np.abs(ones.astype(float) - others).mean((1, 2, 3)) / 255
    np.testing.assert_allclose(compare(l1, ones, others), expected, rtol=1e-5)


def _cases(lmk, generated_found, **more):
    lmk, source = np.array(lmk), np.arange(len(lmk)) // 2
    metrics = {"lmk": lmk, "error": lmk, "own_lmk": np.ones(len(lmk)), "generated_found": np.array(generated_found)}
    metrics |= {"returned_found": ~np.isnan(lmk)} | {key: np.array(values) for key, values in more.items()}
    return Cases(source, np.arange(len(lmk)) % 2, source + 1, metrics, np.zeros(len(lmk), bool))


def test_the_worst_identity_is_the_target_of_lowest_ssim_and_its_values_are_apart():
    ssim = [0.9, 0.8, 0.9, 0.4, 0.7, 0.7]  # of targets 1 1 2 2 3 3
    identity, its = worst_identity(_cases([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], [True] * 6, ssim=ssim))
    assert identity == 2
    assert its.metrics["lmk"].tolist() == [0.3, 0.4]
    assert worst_identity(its) is None


def test_worst_pairs_show_lost_faces_and_large_errors_once_for_each_two_people():
    cases = _cases([0.1, 0.9, 0.5, np.nan, 0.3, 0.7], [True, True, True, True, True, False])
    # Lost: 3 (returned) and 5 (generated); ranked: 1 (0.9), 5 (0.7), 2 (0.5).
    assert worst(cases).tolist() == [3, 5, 1, 2]


def test_worst_pairs_without_dlib_are_by_the_own_detector():
    cases = _cases([np.nan] * 4, [False] * 4, own_lmk=[0.1, 0.2, 0.4, 0.3])
    assert worst(cases).tolist() == [2, 1]


def test_the_strongest_expression_is_by_expression_not_by_pose():
    sample = synthetic.sample(synthetic.Settings(), "test", 0)
    calm = [
        _turned(yaw=yaw, pitch=pitch, action_units=(0.0,) * 17) for yaw, pitch in ((0.0, 0.0), (15.0, 0.0), (0.0, 12.0))
    ]
    surprised = dataclasses.replace(sample, yaw=0.0, pitch=0.0, roll=0.0).with_expression("surprise")
    faces = np.stack([*calm, bare_faces.landmarks(surprised), _turned(roll=14.0, action_units=(0.0,) * 17)])
    seen, reference = np.full((5, 68, 2), np.nan, np.float32), np.full(128, np.nan, np.float32)
    frames = Frames(0, np.zeros((5, 4, 6, 3), np.uint8), faces, seen, reference)
    assert strongest_expression(frames, WFLW98) == 3
