"""PyTorch's DFT-Net computes what the library's does, or its times would mean nothing."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; pip install 'lgan_jax[torch]'")
from benchmarks import dftnet
from benchmarks.sizes import EditorSizes
from benchmarks.timing import TOLERANCE, disagreement


def test_both_sides_make_the_same_faces_and_take_the_same_step(monkeypatch):
    """Losses that depend on no drawn target: the discriminator's at the start, and the flow's."""
    monkeypatch.setattr(dftnet, "UPDATES", 2)  # each is compiled
    sizes = EditorSizes(64, width=3, blocks=1, discriminator_width=4)
    batch, training = dftnet.example(64, 2), dftnet.example(64, dftnet.UPDATES * 2)
    mine, variables = dftnet.ours(sizes, batch, training)
    other = dftnet.theirs(sizes, batch, training, variables)
    for name in dftnet.PHASE_OF:
        assert disagreement(mine[name](), other[name]()) <= TOLERANCE
    ours, theirs = mine["training step"](), other["training step"]()
    assert set(theirs) <= set(ours)
    for name in ("condition_real", "gradient_penalty", "cycle", "attention"):
        np.testing.assert_allclose(ours[name], theirs[name], rtol=0.05, err_msg=name)
