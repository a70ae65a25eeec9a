"""Built-in faces with fields of others."""

import dataclasses

import numpy as np
import pytest
from oracle import built_in_faces, drawn

from lgan_jax.data import synthetic
from lgan_jax.evaluation import ground_truth


@pytest.mark.parametrize("aligned", [False, True])
def test_an_expression_alone_leaves_the_head_where_it_is(aligned):
    data, samples = built_in_faces(32, identities=1, train=1, test=3, acts="posed", aligned=aligned)
    indices, donors = np.array([0, 1]), np.array([2, 0])
    own, others = ([samples["test"][i] for i in which] for which in (indices, donors))
    expected = [
        drawn(dataclasses.replace(face, **{name: getattr(other, name) for name in ground_truth.EXPRESSION}), 32)[
            "image"
        ]
        for face, other in zip(own, others)
    ]
    np.testing.assert_array_equal(ground_truth.with_fields_of(ground_truth.EXPRESSION, data, indices, donors), expected)


def test_another_pose_is_aligned_where_the_data_are():
    data, samples = built_in_faces(32, identities=2, train=1, test=2, aligned=True)
    fields = (*ground_truth.EXPRESSION, *ground_truth.POSE)
    own, other = samples["test"][0], samples["test"][1]
    target = dataclasses.replace(own, **{name: getattr(other, name) for name in fields})
    expected = drawn(synthetic.aligned(target), 32)["image"]
    assert np.abs(expected.astype(int) - drawn(target, 32)["image"]).max() > 5  # another person's points lie elsewhere
    np.testing.assert_array_equal(ground_truth.with_fields_of(fields, data, np.array([0]), np.array([1]))[0], expected)
