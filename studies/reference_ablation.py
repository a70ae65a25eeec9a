"""LandmarkGAN's reference form with one part taken away at a time, without training again. See docs/.

  python -m studies.reference_ablation --workdir RUN               on validation frames, to choose settings
  python -m studies.reference_ablation --workdir RUN --split test  on test frames, for the docs

Every row is measured as `evaluate.py` does: there to the target, back to the source, over all ordered pairs. The last
column is the 95 % interval (bootstrap over identities) of the difference in LMK from the warped nearest frame.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax import data
from lgan_jax.evaluation.dlib_evaluator import find_dlib
from lgan_jax.experiment import Experiment, information
from lgan_jax.methods.landmarkgan.evaluation import evaluate as evaluation
from lgan_jax.methods.landmarkgan.evaluation.baselines import WARPED, Gallery, Generator, generated, nearest_frame
from lgan_jax.methods.landmarkgan.evaluation.reenactment import reenact
from lgan_jax.methods.landmarkgan.model import LandmarkGAN
from lgan_jax.metrics.summary import interval_over_groups
from lgan_jax.training import workdir


def main() -> None:
    """Measures and prints one line a row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workdir", required=True, type=Path, help="folder of a trained run of the reference form")
    parser.add_argument("--split", default="validation", choices=("test", "validation"))
    parser.add_argument("--frames", type=int, default=8, help="of each person, that drive all others")
    given = parser.parse_args()
    stored = workdir.read_experiment(given.workdir)
    experiment = Experiment.read(stored["config"])
    faces = data.open_faces(experiment.settings.data)
    info = information(stored)
    finished = experiment.restored(info, given.workdir)
    model: LandmarkGAN = experiment.method.load(info, finished)
    dlib, warnings = find_dlib()
    if not dlib.installed:
        parser.error(warnings[0])
    settings = evaluation.Settings(split=given.split, frames=given.frames, identity_frames=1)
    people = evaluation.driving_frames(faces, settings, dlib)
    gallery = Gallery(faces.train, info.identities, settings.gallery_frames)
    rows: dict[str, Generator] = {WARPED: nearest_frame(model, gallery, convert=True, warped=True, constrain=False)}
    rows |= dict(_variants(info, finished["generator"]))
    rows["without constraint"] = generated(model, convert=True, constrain=False)
    print(f"{given.split} split, {sum(len(each.images) for each in people)} frames, {len(info.identities)} people")
    warped = None
    for name, generator in rows.items():
        cases = reenact(generator, model, dlib, people, settings.identity_frames, len(info.identities))
        by_person = np.array([np.nanmean(cases.metrics["lmk"][cases.source == each.identity]) for each in people])
        warped = by_person if warped is None else warped
        low, high = interval_over_groups(by_person - warped, np.arange(len(people)))
        lmk, ssim, identity = (float(np.nanmean(each)) for each in map(cases.metrics.get, ("lmk", "ssim", "identity")))
        print(f"{name:42s} LMK {lmk:.4f}  SSIM {ssim:.4f}  ID {identity:.3f}  {low:+.4f} to {high:+.4f}", flush=True)


def _variants(info, finished) -> Iterator[tuple[str, Generator]]:
    """The whole, and what is left without the refiner, without the detector's share in the anchors, without both."""
    state = finished.state
    blend = state.replace(ema={"generators": _without_head(state.ema["generators"])})
    for name, each in {"LandmarkGAN": state, "without refiner": blend}.items():
        known = each.frozen["references"]
        plain = each.replace(frozen={**each.frozen, "references": known.replace(anchors=known.landmarks)})
        yield name, generated(LandmarkGAN(info, finished.phase, each), convert=True)
        yield f"{name}, anchors at landmarks", generated(LandmarkGAN(info, finished.phase, plain), convert=True)


def _without_head(params):
    """Parameters of a refiner that gives the mean of its two blends."""
    return {**params, "head": jax.tree.map(jnp.zeros_like, params["head"])}


if __name__ == "__main__":
    main()
