import dataclasses

import bare_faces
import numpy as np
import pytest
import small_editor

from lgan_jax.action_units import NUMBERS
from lgan_jax.apps.edit import shapes
from lgan_jax.apps.shared.training_distance import TrainingDistance
from lgan_jax.data import synthetic
from lgan_jax.landmarks import WFLW98, mirrored
from lgan_jax.ops import procrustes


@pytest.fixture(scope="module")
def known():
    return small_editor.known(each=40)


@pytest.fixture(scope="module")
def sliders(known):
    return {slider.name: slider for slider in shapes.learn_sliders(known, WFLW98)}


def landmarks(sample):
    return bare_faces.landmarks(sample).astype(np.float64)


def with_units(sample, **units):
    acts = list(sample.action_units)
    for number, intensity in units.items():
        acts[NUMBERS.index(int(number[2:]))] = intensity
    return dataclasses.replace(sample, action_units=tuple(acts))


def true_motion(change):
    """How the landmarks of resting people move when their head really does so, upright."""
    moves = []
    for sample in map(small_editor.sample, range(3)):
        still = dataclasses.replace(
            sample, yaw=0.0, pitch=0.0, roll=0.0, lopsided=0.0, action_units=(0.0,) * 17, shift=(0.0, 0.0)
        )
        before, after = landmarks(still), landmarks(change(still))
        moves.append(procrustes.apply(procrustes.similarity(after, before), after) - before)
    return np.mean(moves, axis=0)


@pytest.mark.parametrize(
    ("name", "change", "alike"),
    [
        ("yaw", lambda s: dataclasses.replace(s, yaw=15.0), 0.95),
        ("pitch", lambda s: dataclasses.replace(s, pitch=10.0), 0.95),
        ("mouth", lambda s: with_units(s, AU25=0.8, AU26=0.8), 0.9),
        ("smile", lambda s: with_units(s, AU12=0.8), 0.7),
        ("brow", lambda s: with_units(s, AU1=0.8, AU2=0.8), 0.8),
        ("blink", lambda s: with_units(s, AU45=1.0), 0.75),
    ],
)
def test_a_slider_moves_the_points_as_the_head_really_does(sliders, name, change, alike):
    learned, true = sliders[name].direction.ravel(), true_motion(change).ravel()
    cosine = learned @ true / np.linalg.norm(learned) / np.linalg.norm(true)
    assert cosine > alike


def test_yaw_of_the_training_faces_can_be_read_off_the_slider(sliders):
    direction = sliders["yaw"].direction.ravel().astype(np.float64)
    seen = [small_editor.sample(i) for i in range(60)]
    points = np.stack([small_editor.landmarks_of(i) for i in range(60)]).astype(np.float64)
    upright = procrustes.apply(procrustes.similarity(points, np.broadcast_to(points.mean(0), points.shape)), points)
    shown = (upright - upright.mean(0)).reshape(60, -1) @ direction
    assert np.corrcoef(shown, [sample.yaw for sample in seen])[0, 1] > 0.95


def test_a_slider_ends_where_the_training_faces_do(sliders, known):
    for slider in sliders.values():
        assert -1 <= slider.least < 0 < slider.most <= 1
        assert max(-slider.least, slider.most) == 1
    rest = shapes.resting(known)
    gap = [shapes.measures(np.stack([rest, rest + v * sliders["mouth"].direction]), WFLW98)[:, 2] for v in (1.0, -0.5)]
    assert gap[0][1] > gap[0][0]
    assert gap[1][1] < gap[1][0]


def test_moving_one_slider_hardly_moves_the_other_measures(sliders, known):
    rest = shapes.resting(known)
    moved = shapes.measures(np.stack([rest, rest + sliders["brow"].direction]), WFLW98)
    change = np.abs(moved[1] - moved[0])
    assert change[4] > 10 * np.delete(change, 4).max()


def test_directions_are_as_symmetric_as_faces(sliders):
    zero = np.zeros((98, 2), np.float32)
    for name, sign in (("yaw", -1), ("smile", 1)):
        direction = sliders[name].direction
        turned = mirrored(direction, WFLW98) - mirrored(zero, WFLW98)
        np.testing.assert_allclose(turned, sign * direction, atol=1e-4)


def test_faces_that_hardly_vary_teach_nothing():
    still = np.repeat(small_editor.known(each=1, people=1)["ada"], 5, axis=0)
    for slider in shapes.learn_sliders({"ada": still}, WFLW98):
        assert (slider.least, slider.most) == (0, 0)
        assert not slider.direction.any()


def test_distance_of_faces_inside_and_outside(known):
    coverage = TrainingDistance(known)
    settings = synthetic.Settings(identities=3, test_per_identity=15)
    unseen = [landmarks(synthetic.sample(settings, "test", i)) for i in range(45)]
    distances = [coverage.distance(points) for points in unseen]
    assert np.median(distances) < 0.8
    assert np.mean(np.array(distances) < 1) > 0.9
    rest = shapes.resting(known)
    dragged = [rest + np.eye(98)[57][:, None] * (by, 0) for by in (0.0, 0.02, 0.05, 0.1)]
    apart = [coverage.distance(points) for points in dragged]
    assert apart == sorted(apart)
    assert apart[0] < 0.5
    assert apart[-1] > 1


def test_distance_is_mahalanobis():
    """Two points that vary with 0.1 and 0.02 along x: the same step is five times as far along the second."""
    rng = np.random.default_rng(4)
    points = np.full((4000, 7, 2), 0.5)
    points[:, 2, 0] += 0.1 * rng.normal(size=4000)
    points[:, 5, 0] += 0.02 * rng.normal(size=4000)
    coverage = TrainingDistance({"one": points[:1500], "two": points[1500:]})
    mean = points.mean(0)
    first, second = (coverage.distance(mean + np.eye(7)[i][:, None] * (0.05, 0)) for i in (2, 5))
    assert coverage.distance(mean) < 1e-6
    assert second / first == pytest.approx(5, rel=0.05)
    # of two normal variables, 99 % lie within 3.035 of the mean
    assert first == pytest.approx(0.5 / 3.035, rel=0.05)


def test_one_face_has_no_distance():
    with pytest.raises(ValueError, match="two or more faces of one person"):
        TrainingDistance({"ada": np.zeros((1, 98, 2))})
