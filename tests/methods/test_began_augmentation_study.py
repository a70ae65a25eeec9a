"""The augmentation study of BEGAN: which detector learns from which faces, and the report of it."""

import dataclasses
import types

import flax.linen as nn
import numpy as np
import pytest
from oracle import Memory, setup_of

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.landmarks import INNER49
from lgan_jax.methods.began.evaluation import augmentation_study
from lgan_jax.methods.began.evaluation.metrics import Measured
from lgan_jax.methods.began.model import Sampled
from lgan_jax.methods.detector import phases as detector
from lgan_jax.ops.dsnt import spatial_softmax

SIZE = 16
INFO = FaceInfo(INNER49, SIZE, ("made",), 6)
SMALL = augmentation_study.Settings(shares=(0.5, 1.0), generated=5, seeds=2, steps=3, batch_size=4, width=8, depth=1)
TRAININGS = (2, 3, 2)  # shares, kinds, seeds


class OneLayer(nn.Module):
    """In the place of the hourglass, which takes seconds to compile."""

    points: int
    width: int
    depth: int
    dtype: type

    @nn.compact
    def __call__(self, image, train=False):
        y = nn.BatchNorm(not train)(nn.Dense(16 * self.points)(image.reshape(len(image), -1)))
        return spatial_softmax(y.reshape(len(image), 4, 4, self.points))


def sample(seed, count, near=False):
    """Of every number a white image, or a darker one."""
    image = np.float32(0.6 if near else 1) * np.ones((count, SIZE, SIZE, 3), np.float32)
    return Sampled(np.zeros((count, 64), np.float32), image, np.full((count, 49, 2), 0.5, np.float32))


@pytest.fixture(scope="module")
def data():
    """Six grey images to learn from, three to be tested on, each of another grey."""
    rng = np.random.default_rng(0)

    def records(count, grey):
        return [
            {"image": np.full((SIZE, SIZE, 3), grey + i, np.uint8), "identity": 0,
             "landmarks": rng.uniform(0.3, 0.7, (49, 2)).astype(np.float32)}
            for i in range(count)
        ]  # fmt: skip

    splits = {"train": records(6, 10), "test": records(3, 90), "validation": records(2, 50)}
    return FaceData("photos: a", False, INFO, "f", (), **{name: Memory(some) for name, some in splits.items()})


def setup(data):
    return setup_of(data, types.SimpleNamespace(sample=sample), types.SimpleNamespace(study=SMALL))


@pytest.fixture(scope="module")
def run(data):
    """The outcome, and the grey of every image that each training was shown and that each was tested on."""
    shown, original = [], augmentation_study.as_batch

    def watched(records):
        shown.append([int(record["image"][0, 0, 0]) for record in records])
        return original(records)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(augmentation_study, "as_batch", watched)
        patch.setattr(detector, "HeatmapDetector", OneLayer)
        outcome = augmentation_study.run(setup(data))
    return outcome, shown


def test_half_of_a_batch_is_generated_and_the_rest_of_the_share(run):
    tested, *batches = run[1]
    assert tested == [90, 91, 92]
    shown = np.array(batches).reshape(*TRAININGS, SMALL.steps, SMALL.batch_size)
    real, both, near = (shown[:, kind] for kind in range(3))
    assert (both[..., 2:] == 255).all()
    assert (near[..., 2:] == 204).all()
    learned = [set(real[i].ravel()) | set(both[i, ..., :2].ravel()) | set(near[i, ..., :2].ravel()) for i in (0, 1)]
    assert len(learned[0]) == 3  # half of six
    assert learned[0] < learned[1] <= set(range(10, 16))


def test_every_training_is_tested(run):
    outcome, _ = run
    assert list(outcome.error) == ["real", "real and generated", "real and generated near training"]
    for each in outcome.error.values():
        assert list(each) == [0.5, 1.0]
        assert all(len(set(values)) == 2 and min(values) > 0 for values in each.values())
    assert (outcome.real, outcome.generated, outcome.test, outcome.steps, outcome.batch_size) == (6, 5, 3, 3, 4)
    assert (outcome.weights, outcome.fingerprint) == ("step 7", "f")


def test_the_table_and_the_plot_show_all_kinds(run, data):
    outcome, _ = run
    measured = Measured(None, None, None, {}, {}, None, outcome, [])
    table = augmentation_study.table(setup(data), measured)
    assert [column.key for column in table.columns] == ["share_0.5", "share_1"]
    assert "mean of 2 seeds" in table.columns[0].meaning
    assert [row.name for row in table.rows] == [f"{name} faces" for name in outcome.error]
    figure = table.rows[1].metrics["share_1"]
    assert figure.mean == pytest.approx(np.mean(outcome.error["real and generated"][1.0]))
    assert (figure.measured, figure.of) == (2, 2)
    assert augmentation_study.error_plot(setup(data), measured).image.ndim == 3


def test_what_cannot_be_meant_is_said(data):
    for changes, said in (
        ({"shares": (0.0, 1.0)}, "each must be above 0 and at most 1"),
        ({"shares": (0.5, 0.5)}, "each must be unique"),
        ({"batch_size": 5}, "batch_size is 5; half of a batch is generated: it must be even"),
        ({"seeds": 0}, "seeds is 0"),
    ):
        with pytest.raises(ValueError, match=said):
            dataclasses.replace(SMALL, **changes)
