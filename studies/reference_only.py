"""LandmarkGAN on people whom a run was not trained on: each is given by frames alone.

  python studies/reference_only.py --workdir RUN --data.dir=FOLDER --out REPORT

evaluates the run on the test split of FOLDER (as `lgan_jax.data.prepare` writes it) over all ordered pairs of the
people there, as `evaluate.py` does for the people of a run, and writes a report with the same rows. The frames are
those of the training split.

The way back goes from the landmarks of a generated face. The run's own detector was not trained on these people, so
dlib finds them, for all rows alike, as it found the data set's; `--landmarks detector` takes the run's own.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

import lgan_jax
from lgan_jax import data
from lgan_jax.core import FaceInfo
from lgan_jax.evaluation import report
from lgan_jax.evaluation.dlib_evaluator import DlibEvaluator
from lgan_jax.landmarks import IBUG68
from lgan_jax.media.images import to_bytes, to_floats
from lgan_jax.methods.landmarkgan.evaluation import evaluate as evaluation
from lgan_jax.methods.landmarkgan.model import LandmarkGAN
from lgan_jax.ops.spacing import evenly_spaced


class Strangers:
    """A model that knows the people of a data set by frames alone, as an evaluation needs it."""

    def __init__(self, model: LandmarkGAN, faces: data.FaceData, frames: int, dlib: DlibEvaluator | None) -> None:
        """At most `frames` training frames of each person, evenly spaced; None: the run's detector finds landmarks."""
        self._first = len(model.info.identities)
        for index, name in enumerate(faces.info.identities):
            places = evenly_spaced(np.flatnonzero(faces.train.identity == index), frames)
            records = [faces.train[int(place)] for place in places]
            images = to_floats(np.stack([record["image"] for record in records]))
            model = model.with_person(f"{name} (frames)", images, np.stack([record["landmarks"] for record in records]))
        self._model, self.constraint, self._dlib = model, model.constraint, dlib
        self.lost = 0  # generated faces in which dlib found no face
        self.info: FaceInfo = dataclasses.replace(model.info, identities=faces.info.identities)

    def convert(self, landmarks: Any, target: Any, constrain: bool = True, driver: Any = None) -> Any:
        """See `LandmarkGAN.convert`."""
        return self._model.convert(landmarks, self._own(target), constrain, self._own(driver))

    def synthesize(
        self, landmarks: Any, target: Any, convert: bool = True, constrain: bool = True, driver: Any = None
    ) -> Any:
        """See `LandmarkGAN.synthesize`."""
        return self._model.synthesize(landmarks, self._own(target), convert, constrain, self._own(driver))

    def _own(self, people: Any) -> Any:
        """The model's indices of people of the data set."""
        return None if people is None else np.asarray(people) + self._first

    def detect(self, images: Any) -> Any:
        """Landmarks `(n, N, 2)` in [0, 1] by dlib, or by the run's detector where dlib finds no face or is not asked.

        `lost` counts the faces that dlib does not find.
        """
        found = self._model.detect(images)
        if self._dlib is None:
            return found
        points = self._dlib.landmarks(to_bytes(images))
        missing = np.isnan(points).any((1, 2), keepdims=True)
        self.lost += int(missing.sum())
        return np.where(missing, found, points)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", required=True, help="folder of a trained run")
    parser.add_argument("--data.dir", dest="folder", required=True, help="prepared folder of other people")
    parser.add_argument("--out", required=True, type=Path, help="folder of the report")
    parser.add_argument("--split", default="test", choices=("test", "validation"))
    parser.add_argument("--frames", type=int, default=8, help="of each person, that drive all others")
    parser.add_argument("--landmarks", default="dlib", choices=("dlib", "detector"), help="of generated faces, by")
    given = parser.parse_args()
    model = lgan_jax.load(given.workdir)
    if given.landmarks == "dlib" and model.info.scheme is not IBUG68:
        parser.error(f"the run has the scheme {model.info.scheme.name}, which dlib does not find: --landmarks detector")
    faces = data.open_faces(data.Settings(name="celebv", size=model.info.size, dir=given.folder, split="time"))
    strangers = Strangers(model, faces, frames=500, dlib=DlibEvaluator() if given.landmarks == "dlib" else None)
    settings = evaluation.Settings(split=given.split, frames=given.frames)
    about = {
        "Weights": f"of {given.workdir}; the people are known by frames alone",
        "Landmarks of generated faces": given.landmarks,
    }
    report.show_report(evaluation.evaluate(strangers, faces, settings, given.out, about))
    if strangers.lost:
        print(f"dlib found no face in {strangers.lost} generated images: the run's detector was used there")


if __name__ == "__main__":
    main()
