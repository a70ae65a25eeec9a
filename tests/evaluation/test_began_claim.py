"""Detectors that learn from made faces: who learns from what, and what is kept of it."""

import dataclasses
import json

import numpy as np
import pytest
from oracle import Memory

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.evaluation.began import claim
from lgan_jax.landmarks import INNER49
from lgan_jax.methods.began.model import Sampled

INFO = FaceInfo(INNER49, 16, ("made",), 6)
SMALL = claim.Settings(shares=(0.5, 1.0), made=5, seeds=2, steps=2, batch_size=4, width=8, depth=1)


class Model:
    """Of every number a white picture."""

    info = INFO

    def sample(self, seed, count):
        image = np.ones((count, 16, 16, 3), np.float32)
        return Sampled(np.zeros((count, 64), np.float32), image, np.full((count, 49, 2), 0.5, np.float32))


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)

    def records(count, grey):
        return [
            {"image": np.full((16, 16, 3), grey + i, np.uint8), "identity": 0,
             "landmarks": rng.uniform(0.3, 0.7, (49, 2)).astype(np.float32)}
            for i in range(count)
        ]  # fmt: skip

    return FaceData("photos: a", False, INFO, "f", (), Memory(records(6, 10)), Memory(records(3, 90)))


@pytest.fixture(scope="module")
def run(data):
    """The outcome, and the grey of every picture that each training was shown."""
    shown = []
    original = claim._batch

    def watched(pools, chosen):
        batch = original(pools, chosen)
        shown.append(np.rint((batch["image"][:, 0, 0, 0] + 1) * 127.5).astype(int))
        return batch

    claim._batch = watched
    try:
        return claim.run(Model(), data, SMALL, "w"), np.array(shown).reshape(2, 2, 2, 2, 4)
    finally:
        claim._batch = original


def test_half_of_a_batch_is_made_and_the_rest_of_the_share(run):
    _, shown = run  # share, kind, seed, step, picture
    real, both = shown[:, 0], shown[:, 1]
    assert (real < 16).all()
    assert (both[..., 2:] == 255).all()
    assert (both[..., :2] < 16).all()
    half = {10, 12, 13, 15}
    assert set(shown[0][shown[0] < 255].tolist()) <= half | {11, 14}
    assert len(set(shown[0][shown[0] < 255].tolist())) <= 3
    assert len(set(shown[1][shown[1] < 255].tolist())) > 3


def test_every_training_is_tested_and_kept(run, tmp_path):
    outcome, _ = run
    assert set(outcome.error) == {"real", "real and made"}
    for each in outcome.error.values():
        assert list(each) == [0.5, 1.0]
        assert all(len(values) == 2 and np.isfinite(values).all() for values in each.values())
    assert (outcome.real, outcome.made, outcome.held_out) == (6, 5, 3)
    claim.write(outcome, tmp_path)
    assert claim.read(tmp_path, "w", "f") == (outcome, [])
    none, (warning,) = claim.read(tmp_path, "others", "f")
    assert none is None
    assert "is of other weights or data" in warning
    assert claim.read(tmp_path / "none", "w", "f") == (None, [])
    (tmp_path / claim.FILE).write_text(json.dumps({"error": 3}))
    with pytest.raises(ValueError, match=r"claim.json cannot be read .* delete it, or give --augmentation again"):
        claim.read(tmp_path, "w", "f")


def test_the_table_and_the_plot_show_both_kinds(run):
    outcome, _ = run
    table = claim.table(outcome)
    assert [column.key for column in table.columns] == ["share_0.5", "share_1"]
    assert [row.name for row in table.rows] == ["real", "real and made"]
    figure = table.rows[1].figures["share_1"]
    assert figure.mean == pytest.approx(np.mean(outcome.error["real and made"][1.0]))
    assert figure.of == 2
    assert claim.sheet(outcome).image.ndim == 3


def test_what_cannot_be_meant_is_said():
    with pytest.raises(ValueError, match="each must be above 0 and at most 1"):
        dataclasses.replace(SMALL, shares=(0.0, 1.0))
    with pytest.raises(ValueError, match="batch_size is 5; half of a batch is made: it must be even"):
        dataclasses.replace(SMALL, batch_size=5)
    with pytest.raises(ValueError, match="seeds is 0"):
        dataclasses.replace(SMALL, seeds=0)
