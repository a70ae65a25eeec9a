import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.landmarks import IBUG68
from lgan_jax.methods.landmarkgan import references


def frames(count, seed=0):
    """Landmarks of a face that opens its mouth more and more, hardly anything else."""
    base = np.random.default_rng(seed).uniform(0.3, 0.7, (68, 2))
    opening = np.linspace(0, 0.1, count)[:, None]
    landmarks = np.repeat(base[None], count, 0)
    landmarks[:, 57:60, 1] += opening
    return jnp.asarray(landmarks, jnp.float32)


def test_selected_frames_span_what_there_is():
    landmarks = frames(21)
    chosen = sorted(np.asarray(references.select(landmarks, 3, IBUG68)).tolist())
    assert chosen == [0, 10, 20]


def test_selection_repeats_where_there_are_fewer_frames():
    chosen = np.asarray(references.select(frames(2), 5, IBUG68))
    assert chosen.shape == (5,)
    assert set(chosen.tolist()) == {0, 1}


def test_weights_of_a_frame_that_is_met_and_continuity():
    known = frames(9)

    def weights(wanted, excluded=()):
        allowed = jnp.ones(9, bool).at[jnp.array(excluded, int)].set(False)
        places, weight = references.shepard_weights(wanted, known, allowed, IBUG68, 4)
        return np.zeros(9) + np.bincount(np.asarray(places), np.asarray(weight), 9)

    met = weights(known[3])
    assert met[3] > 0.9
    np.testing.assert_allclose(met.sum(), 1, atol=1e-5)
    assert weights(known[3], [3])[3] == 0
    path = [weights(known[2] + t * (known[6] - known[2])) for t in np.linspace(0, 1, 201)]
    assert max(np.abs(np.diff(path, axis=0)).max(1)) < 0.2, "no jump where the neighborhood changes"


def test_blend_shows_the_person_at_the_wanted_landmarks():
    landmarks = jnp.stack([frames(6), frames(6, seed=4)], 1)
    colors = jnp.asarray([0.5, -0.5]).reshape(1, 2, 1, 1, 1)
    images = jnp.broadcast_to(colors, (6, 2, 16, 20, 3))
    chosen = references.chosen(images, landmarks, 5, IBUG68, lambda image: jnp.full((len(image), 68, 2), 0.5), 0.5)
    nearer = jnp.clip(0.5 - chosen.landmarks, -0.02, 0.02)
    np.testing.assert_allclose(chosen.anchors, chosen.landmarks + nearer / 2, atol=1e-6)
    chosen = chosen.replace(anchors=chosen.landmarks)
    assert chosen.images.shape == (2, 5, 16, 20, 3)
    assert chosen.images.dtype == jnp.uint8
    person = jnp.array([1, 0, 1])
    blend = jax.jit(lambda x: references.blend(chosen, x, person, jnp.ones((3, 5), bool), IBUG68))(landmarks[:3, 0])
    for image in blend:
        assert image.shape == (3, 16, 20, 3)
        np.testing.assert_allclose(image[:, 8, 10, 0], (-0.5, 0.5, -0.5), atol=0.01)


def test_low_rank_landmarks_lose_noise_and_keep_what_moves():
    rng = np.random.default_rng(4)
    clean = 0.5 + 0.02 * np.einsum("fd,dnc->fnc", rng.normal(size=(200, 6)), rng.normal(size=(6, 68, 2)))
    noisy = clean + 0.01 * rng.normal(size=clean.shape)
    found = np.asarray(references.low_rank(jnp.asarray(noisy[:20], jnp.float32), jnp.asarray(noisy, jnp.float32)))
    assert np.abs(found - clean[:20]).mean() < 0.7 * np.abs(noisy - clean).mean()  # 25 of 136 directions: at least 0.43
    moving = jnp.asarray(clean, jnp.float32)
    np.testing.assert_allclose(references.low_rank(moving[:20], moving), moving[:20], atol=1e-5)
    few = jnp.asarray(noisy[:9], jnp.float32)
    np.testing.assert_allclose(references.low_rank(few, few), few, atol=1e-5)
