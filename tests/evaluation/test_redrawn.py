"""Built-in faces with something of others."""

import dataclasses

import numpy as np
import pytest
from oracle import built_in_faces, drawn

from lgan_jax.data import synthetic
from lgan_jax.evaluation import redrawn


@pytest.mark.parametrize("aligned", [False, True])
def test_an_expression_alone_leaves_the_head_where_it_is(aligned):
    data, samples = built_in_faces(32, identities=1, train=1, test=3, acts="posed", aligned=aligned)
    places, givers = np.array([0, 1]), np.array([2, 0])
    own, others = ([samples["test"][i] for i in which] for which in (places, givers))
    expected = [
        drawn(dataclasses.replace(face, **{name: getattr(other, name) for name in redrawn.EXPRESSION}), 32)["image"]
        for face, other in zip(own, others)
    ]
    np.testing.assert_array_equal(redrawn.taking(redrawn.EXPRESSION, data, places, givers), expected)


def test_another_pose_is_aligned_where_the_data_are():
    data, samples = built_in_faces(32, identities=2, train=1, test=2, aligned=True)
    fields = (*redrawn.EXPRESSION, *redrawn.POSE)
    own, other = samples["test"][0], samples["test"][1]
    made = dataclasses.replace(own, **{name: getattr(other, name) for name in fields})
    expected = drawn(synthetic.aligned(made), 32)["image"]
    assert np.abs(expected.astype(int) - drawn(made, 32)["image"]).max() > 5  # another person's points lie elsewhere
    np.testing.assert_array_equal(redrawn.taking(fields, data, np.array([0]), np.array([1]))[0], expected)
