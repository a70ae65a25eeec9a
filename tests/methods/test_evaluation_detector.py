import json

import numpy as np
import pytest
from oracle import Memory, built_in_faces

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData
from lgan_jax.landmarks import WFLW98, inter_ocular
from lgan_jax.methods.detector import evaluation as detector


class OffBy:
    """Finds the true landmarks moved by a share of the distance between the eyes, another one for each image."""

    def __init__(self, data, shares):
        self.info = data.info
        records = [data.test[i] for i in range(len(data.test))]
        self.pictures = np.stack([record["image"] for record in records])
        true = np.stack([record["landmarks"] for record in records])
        self.found = true.copy()
        self.found[..., 1] += (inter_ocular(true, WFLW98) * np.array(shares, np.float32))[:, None]

    def detect(self, images):
        pictures = np.rint((images + 1) * 127.5).astype(np.uint8)
        return np.stack([self.found[(self.pictures == picture).all((1, 2, 3)).argmax()] for picture in pictures])


def _rows(made):
    return {row.name: {key: each.mean for key, each in row.metrics.items()} for row in made.tables[0].rows}


def test_built_in_faces_by_pose_and_expression(tmp_path):
    data, samples = built_in_faces(size=32, identities=2, train=1, test=4)
    shares = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.31]
    made = detector.evaluate(OffBy(data, shares), data, detector.Settings(), tmp_path)
    rows = _rows(made)
    assert rows["all"]["nme"] == pytest.approx(np.mean(shares), rel=1e-4)
    assert rows["all"]["failure_rate"] == 1 / 8
    assert rows["all"]["auc"] == pytest.approx((0.9 + 0.8 + 0.7 + 0.6 + 0.5 + 0.4 + 0.3) / 8, rel=1e-4)
    turned = [abs(s.yaw) > 20 or abs(s.pitch) > 12 for s in samples["test"]]
    assert rows["large pose"]["count"] == sum(turned)
    assert rows["expression"]["count"] == sum(s.expression != 0 for s in samples["test"])
    assert rows["expression"]["nme"] == pytest.approx(
        np.mean([share for share, s in zip(shares, samples["test"]) if s.expression]), rel=1e-4
    )
    saved = json.loads((tmp_path / "metrics.json").read_text())
    assert saved["tables"]["alignment"]["rows"][0]["metrics"]["nme"]["measured"] == 8
    assert (tmp_path / "best-and-worst.png").exists()
    assert "8 test images of 32×32 pixels" in made.verdict


def test_attributes_of_wflw(tmp_path):
    drawn, _ = built_in_faces(size=32, identities=1, train=1, test=3)
    flags = np.zeros((3, 6), bool)
    flags[0, 0] = flags[1, 5] = flags[2, 5] = True
    kept = ("image", "landmarks", "identity")
    records = [
        {key: record[key] for key in kept} | {"attributes": flag} for record, flag in zip(drawn.test.records, flags)
    ]
    info = FaceInfo(WFLW98, 32, ("everybody",))
    data = FaceData("WFLW", False, info, "0", ("1 picture skipped",), drawn.train, drawn.validation, Memory(records))
    made = detector.evaluate(OffBy(data, [0.02, 0.04, 0.08]), data, detector.Settings(), tmp_path)
    rows = _rows(made)
    assert list(rows) == ["all", "pose", "expression", "illumination", "make-up", "occlusion", "blur"]
    assert rows["pose"]["nme"] == pytest.approx(0.02, rel=1e-4)
    assert rows["blur"]["nme"] == pytest.approx(0.06, rel=1e-4)
    assert rows["make-up"] == {"count": 0}
    assert made.warnings == []
    assert made.facts["Notes"] == "1 picture skipped"


def test_another_size_is_refused(tmp_path):
    data, _ = built_in_faces(size=32, identities=1, train=1, test=1)
    other, _ = built_in_faces(size=48, identities=1, train=1, test=1)
    with pytest.raises(ValueError, match=r"image size \(48\) is not the data's \(32\)"):
        detector.evaluate(OffBy(other, [0.1]), data, detector.Settings(), tmp_path)
    with pytest.raises(ValueError, match="frames is 0; it must be at least 1"):
        detector.Settings(frames=0)
