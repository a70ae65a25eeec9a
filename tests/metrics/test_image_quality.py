import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from lgan_jax.metrics.image_quality import MOST_PSNR, l1, psnr, ssim


def _pair(height=37, width=29, channels=3, noise=0.3, seed=0):
    rng = np.random.default_rng(seed)
    one = np.cumsum(rng.normal(0, 0.2, (2, height, width, channels)), 2)
    one = np.clip(one, -1, 1).astype(np.float32)
    return one, np.clip(one + rng.normal(0, noise, one.shape), -1, 1).astype(np.float32)


@pytest.mark.parametrize("noise", [0.01, 0.3, 2.0])
@pytest.mark.parametrize("shape", [(37, 29), (11, 12)])
def test_ssim_is_that_of_scikit_image(noise, shape):
    one, other = _pair(*shape, noise=noise)
    expected = [
        structural_similarity(
            a.astype(np.float64) / 2 + 0.5,
            b.astype(np.float64) / 2 + 0.5,
            data_range=1.0,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        for a, b in zip(one, other)
    ]
    np.testing.assert_allclose(ssim(one, other), expected, atol=2e-5)


def test_ssim_of_opposite_and_identical_images():
    one, _ = _pair()
    np.testing.assert_allclose(ssim(one, one), 1, atol=1e-6)
    assert (ssim(one, -one) < 0).all()


def test_psnr_by_hand_and_against_scikit_image():
    grey = np.zeros((1, 5, 7, 3), np.float32)
    np.testing.assert_allclose(psnr(grey, grey + 0.2), 20, atol=1e-4)  # 0.1 of the range: −10 log₁₀ 0.01
    one, other = _pair()
    expected = [peak_signal_noise_ratio(a / 2 + 0.5, b / 2 + 0.5, data_range=1.0) for a, b in zip(one, other)]
    np.testing.assert_allclose(psnr(one, other), expected, atol=1e-3)
    assert psnr(one, one).tolist() == [MOST_PSNR, MOST_PSNR]


def test_l1_is_a_share_of_the_range():
    black = np.full((2, 3, 5, 3), -1, np.float32)
    other = black.copy()
    other[0], other[1, 0] = 1, 1
    np.testing.assert_allclose(l1(black, other), [1, 1 / 3], rtol=1e-6)


@pytest.mark.parametrize("measure", [ssim, psnr, l1])
def test_bad_images_are_refused(measure):
    one, other = _pair()
    with pytest.raises(ValueError, match="must be in"):
        measure(one, other * 255)
    with pytest.raises(ValueError, match="must be in"):
        measure(one, np.full_like(one, np.nan))
    with pytest.raises(ValueError, match="one shape"):
        measure(one, other[:, 1:])


def test_ssim_needs_a_whole_window():
    one, other = _pair(10, 29)
    with pytest.raises(ValueError, match="11 pixels or more, not 29x10"):
        ssim(one, other)
