import bare_faces
import numpy as np
import pytest
from oracle import Memory

from lgan_jax.action_units import EXPRESSIONS
from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData, synthetic
from lgan_jax.faces.unit_estimate import ESTIMATED
from lgan_jax.landmarks import WFLW98
from studies.estimate_agreement import agreement, compare_expressions, compare_units


@pytest.fixture(scope="module")
def faces():
    people = synthetic.Settings(
        identities=2, train_per_identity=25, validation_per_identity=1, test_per_identity=25, seed=5
    )

    def split(name):
        return Memory([bare_faces.record(synthetic.sample(people, name, i)) for i in range(people.count(name))])

    info = FaceInfo(WFLW98, 16, synthetic.names(people))
    return FaceData(
        "built-in faces", True, info, "0123", (), split("train"), split("validation"), split("test"), people
    )


def test_the_estimate_agrees_with_the_truth_on_people_it_was_not_tuned_on(faces):
    exact, noisy = compare_units(faces), compare_units(faces, noise=0.02)
    assert exact.count == 50
    assert np.nanmean(exact.correlation) > 0.85
    assert exact.error.mean() < 0.1
    assert np.nanmean(exact.correlation) > np.nanmean(noisy.correlation) > 0.6
    surest = [ESTIMATED.index(number) for number in (1, 2, 4, 23, 26, 45)]
    assert np.nanmin(exact.correlation[surest]) > 0.9


def test_expressions_estimated_from_true_units_and_from_landmarks(faces):
    true, found = (compare_expressions(faces, from_landmarks=way) for way in (False, True))
    shown = np.bincount(faces.train.expression, minlength=8)
    np.testing.assert_array_equal(true.sum(1), shown)
    np.testing.assert_array_equal(found.sum(1), shown)
    assert np.trace(true) > 0.9 * 50
    determined = [i for i, name in enumerate(EXPRESSIONS) if name not in ("contempt", "disgust")]
    assert np.trace(found[np.ix_(determined, determined)]) > 0.75 * found[np.ix_(determined, range(8))].sum()
    assert found[:, [EXPRESSIONS.index("contempt"), EXPRESSIONS.index("disgust")]].sum() == 0


def test_agreement_worked_by_hand():
    true = np.array([[0.0, 0.5], [0.2, 0.5], [0.4, 0.5]], np.float32)
    found = np.array([[0.1, 0.5], [0.2, 0.6], [0.6, 0.7]], np.float32)
    result = agreement(found, true)
    # deviations (-.2, -.1, .3) and (-.2, 0, .2): .1 / sqrt(.14 · .08)
    np.testing.assert_allclose(result.correlation[0], 0.1 / np.sqrt(0.14 * 0.08), rtol=1e-5)
    assert np.isnan(result.correlation[1])
    np.testing.assert_allclose(result.error, [0.1, 0.1], rtol=1e-5)
    assert result.count == 3
    with pytest.raises(ValueError, match="at least 2 faces, not 1"):
        agreement(found[:1], true[:1])
    with pytest.raises(ValueError, match=r"action units must be in \[0, 1\]; these are from 0 to 2\.5"):
        agreement(found, true * 5)
