import numpy as np
import pytest

from lgan_jax.media.one_euro import OneEuro


def test_a_step_worked_by_hand():
    filtered = OneEuro(least=2.0, follow=3.0)
    assert filtered(np.array([1.0]), 10.0) == 1.0
    # After 0.1 s: speed (2 - 1)/0.1 = 10, weighted 1/(1 + 1/(2π·1·0.1)) = 0.385870; cutoff 2 + 3·3.858696 = 13.576087;
    # weight 1/(1 + 1/(2π·13.576087·0.1)) = 0.895072.
    assert filtered(np.array([2.0]), 10.1)[0] == pytest.approx(1.895072, abs=1e-5)


def test_noise_at_rest_is_steadied_and_motion_is_followed():
    rng = np.random.default_rng(0)
    times = np.arange(300) / 30
    noise = 0.002 * rng.standard_normal((300, 7, 2))
    rest = OneEuro(2.0, 50.0)
    still = np.stack([rest(0.5 + noise[i], times[i]) for i in range(300)])
    assert still[30:].std() < 0.6 * noise.std()
    moving = OneEuro(2.0, 50.0)
    path = 0.5 + 0.1 * np.sin(2 * np.pi * 1.5 * times)[:, None, None] + 0 * noise
    followed = np.stack([moving(path[i], times[i]) for i in range(300)])
    assert np.abs(followed - path)[30:].max() < 0.02


def test_it_begins_afresh_after_a_gap():
    filtered = OneEuro(1.0, 0.0)
    filtered(np.zeros((3, 2)), 0.0)
    assert (filtered(np.ones((3, 2)), 0.4) < 1).all()
    assert (filtered(np.full((3, 2), 5.0), 1.0) == 5).all()


def test_values_at_the_same_time_are_followed():
    """Some videos' times stand still; a low-pass that believed them would never move."""
    filtered = OneEuro(2.0, 50.0)
    for _ in range(20):
        last = filtered(np.full(2, 0.4), 3.0)
    for _ in range(20):
        last = filtered(np.full(2, 0.6), 3.0)
    np.testing.assert_allclose(last, 0.6, atol=0.01)
