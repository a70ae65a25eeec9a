import jax
import numpy as np
import pytest
from small_methods import started
from small_synthesizers import FACES, couples, small_synthesizer

from lgan_jax.core import Finished
from lgan_jax.methods import METHODS


@pytest.fixture(scope="module")
def finished():
    method = small_synthesizer()
    return Finished(method, started(method, couples(1)))


@pytest.fixture(scope="module")
def synthesizer(finished):
    return METHODS["expression"].load(FACES, {"synthesizer": finished})


def wanted(count):
    batch = couples(count)
    return batch["image"][:, 0], batch["landmarks"][:, 1], batch["expression"][:, 1]


def test_makes_any_number_of_faces_as_the_phase_does(synthesizer, finished):
    for count in (18, 1):
        made = synthesizer.synthesize(*wanted(count))
        assert isinstance(made, np.ndarray)
        expected = jax.jit(finished.phase.synthesize)(finished.state, *wanted(count))
        np.testing.assert_allclose(made, expected, atol=1e-4)
    assert synthesizer.synthesize(*(x[:0] for x in wanted(2))).shape == (0, 32, 32, 3)


def test_it_knows_what_it_takes_and_what_it_went_without(synthesizer, finished):
    assert (synthesizer.size, synthesizer.scheme, synthesizer.info) == (32, FACES.scheme, FACES)
    assert synthesizer.left_out == finished.phase.left_out(finished.phase.settings) != ()


def test_what_cannot_be_made_is_said(synthesizer):
    image, landmarks, expression = wanted(2)
    with pytest.raises(ValueError, match=r"images have the shape \(2, 16, 32, 3\); expected \(B, 32, 32, 3\)"):
        synthesizer.synthesize(image[:, ::2], landmarks, expression)
    with pytest.raises(ValueError, match=r"ibug68 landmarks have the shape \(2, 49, 2\); expected \(2, 68, 2\)"):
        synthesizer.synthesize(image, landmarks[:, :49], expression)
    with pytest.raises(ValueError, match=r"landmarks must be fractions of the image, in \[0, 1\]; these are from"):
        synthesizer.synthesize(image, landmarks * 32, expression)
    with pytest.raises(ValueError, match="images are uint8; expected floating-point numbers"):
        synthesizer.synthesize((127 * image + 128).astype(np.uint8), landmarks, expression)
    for wrong in ([8, 1], [1], [-1, 0], [0.5, 1]):
        with pytest.raises(ValueError, match=r"expected \(2\) whole numbers from 0 to 7, of neutral, anger"):
            synthesizer.synthesize(image, landmarks, np.array(wrong))
