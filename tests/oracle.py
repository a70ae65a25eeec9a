"""A model that cannot be better: it knows how every built-in face was drawn, and draws it again as somebody else."""

import dataclasses
import functools
import pathlib

import numpy as np

from lgan_jax.core import FaceInfo
from lgan_jax.data import FaceData, Split, synthetic
from lgan_jax.data.split import SPLITS
from lgan_jax.evaluation.dlib_evaluator import MissingDlib
from lgan_jax.evaluation.harness import Setup
from lgan_jax.landmarks import WFLW98


class Memory(Split):
    """A split of records that are held as they are."""

    def __init__(self, records, pairs=None):
        self.records, self._pairs = records, pairs
        self.identity = np.array([record["identity"] for record in records], np.int32)
        self.expression = np.array([record.get("expression", 0) for record in records], np.int32)

    def __getitem__(self, index):
        return dict(self.records[range(len(self.records))[index]])


drawn = functools.cache(synthetic.draw)  # takes 50 ms; nothing writes into what it gives


def built_in_faces(size, identities, train, test, variation="video", **options):
    """Built-in faces, and for every identity the samples of its images."""
    settings = synthetic.Settings(
        identities=identities,
        train_per_identity=train,
        validation_per_identity=2,
        test_per_identity=test,
        variation=variation,
        **options,
    )
    samples = {s: [synthetic.sample(settings, s, i) for i in range(settings.count(s))] for s in SPLITS}
    splits = {s: Memory([drawn(sample, size) for sample in some]) for s, some in samples.items()}
    info = FaceInfo(WFLW98, size, synthetic.names(settings))
    data = FaceData("built-in faces", True, info, "0123", (), **splits, drawn=settings)
    return data, samples


def setup_of(data, model=None, settings=None):
    """What the parts of an evaluation work with, without dlib."""
    return Setup(model, data, settings, pathlib.Path("report"), "step 7", MissingDlib(), {}, None, ())


def means(report, key, published=False):
    """Of the table `key`: by row, the mean of each metric; measured rows, or published ones."""
    (table,) = [table for table in report.tables if table.key == key]
    return {row.name: {k: f.mean for k, f in row.metrics.items()} for row in table.rows if row.published == published}


class Oracle:
    """Knows every sample; looks up the one that landmarks or an image belong to and draws it as the target."""

    constraint = 0.0

    def __init__(self, data, samples):
        self.info = data.info
        self.samples, self.points, self.pictures = [], [], []
        self.cast = samples["test"][: len(data.info.identities)]  # somebody's light and background are his own
        for split, records in (("train", data.train.records), ("test", data.test.records)):
            for sample, record in zip(samples[split], records):
                self._keep(sample, record)

    def convert(self, landmarks, target, constrain=True, driver=None):
        return np.stack([self.points[self._as(points, who)] for points, who in zip(landmarks, target)])

    def synthesize(self, landmarks, target, convert=True, constrain=True, driver=None):
        if convert:
            landmarks = self.convert(landmarks, target)
        found = []
        for points, who in zip(landmarks, target):
            own = [i for i, sample in enumerate(self.samples) if sample.identity == who]
            distances = ((np.stack([self.points[i] for i in own]) - points) ** 2).sum((1, 2))
            found.append(self.pictures[own[int(distances.argmin())]])
        return np.stack(found).astype(np.float32) / 127.5 - 1

    def detect(self, images):
        flat = np.stack(self.pictures).reshape(len(self.pictures), -1)[:, ::11] / 127.5 - 1
        nearest = [((flat - image.reshape(-1)[::11]) ** 2).sum(-1).argmin() for image in images]
        return np.stack([self.points[i] for i in nearest])

    def _as(self, points, who):
        """The place of the sample with these landmarks, drawn as identity `who`."""
        place = int(((np.stack(self.points) - points) ** 2).sum((1, 2)).argmin())
        if self.samples[place].identity == who:
            return place
        like = self.cast[who]
        sample = dataclasses.replace(
            self.samples[place], person=like.person, identity=int(who), light=like.light, background=like.background
        )
        if sample not in self.samples:
            self._keep(sample, drawn(sample, self.info.size))
        return self.samples.index(sample)

    def _keep(self, sample, record):
        self.samples.append(sample)
        self.points.append(record["landmarks"])
        self.pictures.append(record["image"])
