import jax
import jax.numpy as jnp
import numpy as np
import pytest

from lgan_jax.metrics import expression_classifier as classifiers
from lgan_jax.metrics.expression_classifier import SIDE, Settings, prepared, train

SMALL = Settings(steps=45, batch_size=10, width=4, learning_rate=0.005)


def _patterns(count, seed):
    """Grey images of stripes: across (label 0), down (5), or none (7), in noise."""
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 5, 7], count)
    lines = np.indices((SIDE, SIDE)) // 6 % 2 * 120
    shown = {0: lines[0], 5: lines[1], 7: 0 * lines[0]}
    return np.stack([shown[each] + rng.integers(0, 60, (SIDE, SIDE)) for each in labels]).astype(np.uint8), labels


@pytest.fixture(scope="module")
def trained():
    faces, labels = _patterns(60, 0)
    steps = []
    return train(len(faces), lambda chosen: (faces[chosen], labels[chosen]), SMALL, 3, steps.append), steps


def test_it_learns_what_it_is_shown(trained):
    classifier, steps = trained
    faces, labels = _patterns(31, 1)
    assert np.mean(classifier(faces) == labels) > 0.9
    assert steps == list(range(1, 46))


def test_seeds_decide(trained):
    faces, labels = _patterns(60, 0)

    def weights(seed):
        made = train(len(faces), lambda chosen: (faces[chosen], labels[chosen]), SMALL, seed)
        return np.asarray(made.params["Dense_0"]["kernel"])

    np.testing.assert_array_equal(weights(3), np.asarray(trained[0].params["Dense_0"]["kernel"]))
    assert np.abs(weights(4) - weights(3)).max() > 0.01


def test_every_face_is_seen_once_an_epoch():
    faces, labels = _patterns(15, 2)
    seen = []

    def fetch(chosen):
        seen.extend(chosen.tolist())
        return faces[chosen], labels[chosen]

    train(15, fetch, SMALL, 0)
    assert sorted(seen[:15]) == sorted(seen[15:30]) == list(range(15))
    assert seen[:15] != seen[15:30]


def test_images_become_grey_and_small():
    pictures = np.zeros((3, 2 * SIDE, 2 * SIDE, 3), np.uint8)
    pictures[1] = 200
    made = prepared(pictures)
    assert made.shape == (3, SIDE, SIDE)
    assert made[1].min() == made[1].max() == 200
    assert not made[0].any()
    assert prepared(pictures[:0]).shape == (0, SIDE, SIDE)


def test_faces_are_moved_and_mirrored_while_it_learns():
    face = np.zeros((1, SIDE, SIDE, 1), np.float32)
    face[0, 20, 10] = 1
    many = np.asarray(classifiers.moved_and_mirrored(jnp.asarray(face.repeat(64, 0)), jax.random.key(0)))
    rows, columns = zip(*[np.unravel_index(each.argmax(), (SIDE, SIDE)) for each in many])
    assert set(rows) == {19, 20, 21}
    left, right = {9, 10, 11}, {SIDE - 12, SIDE - 11, SIDE - 10}
    assert set(columns) <= left | right
    assert set(columns) & left
    assert set(columns) & right


def test_bad_input():
    with pytest.raises(ValueError, match="no face to learn from"):
        train(0, lambda chosen: (chosen, chosen), SMALL, 0)
    for name, value in (("steps", 0), ("batch_size", 0), ("width", 6)):
        with pytest.raises(ValueError, match=f"{name} of the expression classifier must be"):
            Settings(**{name: value})
