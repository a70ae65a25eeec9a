import numpy as np

from lgan_jax import data
from lgan_jax.data import synthetic
from lgan_jax.evaluation.unit_estimates import against_truth
from lgan_jax.ops.unit_estimate import ESTIMATED


def test_the_estimate_agrees_with_the_truth_on_people_it_was_not_made_with(tmp_path):
    people = synthetic.Settings(identities=2, train_per_identity=25, test_per_identity=25, seed=5)
    faces = data.open_faces(data.Settings(name="celebv", size=16, cache=str(tmp_path), built_in=people))
    exact, noisy = against_truth(faces), against_truth(faces, noise=0.02)
    assert exact.count == 50
    assert np.nanmean(exact.correlation) > 0.85
    assert exact.error.mean() < 0.1
    assert np.nanmean(exact.correlation) > np.nanmean(noisy.correlation) > 0.6
    surest = [ESTIMATED.index(number) for number in (1, 2, 4, 23, 26, 45)]
    assert np.nanmin(exact.correlation[surest]) > 0.9
