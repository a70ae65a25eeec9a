"""Built-in faces without their images, which take ten times as long; test_synthetic.py has that they are the same."""

import numpy as np

from lgan_jax.data.synthetic import Sample, landmarks


def record(sample: Sample) -> dict:
    """Landmarks, action units, expression and identity, as `draw` gives them."""
    return {
        "landmarks": landmarks(sample),
        "action_units": np.array(sample.action_units, np.float32),
        "expression": np.int32(sample.expression),
        "identity": np.int32(sample.identity),
    }
