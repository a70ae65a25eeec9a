"""Conversion of landmarks in closed form: one frame of the driver or several? See docs/methods/landmarkgan.md.

  python -m studies.driver_shape                    on validation people, by whom settings are chosen
  python -m studies.driver_shape --split test       on test people, for the docs
  python -m studies.driver_shape --in_training      people in training drive each other, by further frames of them

The statistics are those of drawn people's training frames. The drivers are people who were in no training; because
drawn people can be drawn with each other's pose and expression, every conversion has its ground truth. Prints the mean
distance of converted landmarks from it, over the distance between the outer eye corners, with a 95 % interval
(bootstrap over drivers). Frames of a driver are independent here; `--clip` takes them from a short walk through poses
and expressions in their place, as neighboring frames of a video are.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys

import jax
import jax.numpy as jnp
import numpy as np

from lgan_jax.data import synthetic
from lgan_jax.evaluation.ground_truth import EXPRESSION, POSE
from lgan_jax.landmarks import WFLW98, inter_ocular
from lgan_jax.methods.landmarkgan import shape_model
from lgan_jax.ops.spacing import evenly_spaced

_KNOWN = (2, 4, 8, 16, 64)  # frames of the driver that are known
_MEASURED = 24  # frames of each driver that are converted
_CLIP = 5  # poses and expressions between which a clip goes


def main() -> int:
    """Measures and prints one line a way to convert."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--split", choices=("validation", "test"), default="validation")
    parser.add_argument("--identities", type=int, default=5, help="people in training (default: %(default)s)")
    parser.add_argument("--drivers", type=int, default=20, help="people who drive (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=60, help="training frames of each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--aligned", action="store_true", help="heads are framed as prepared photos are")
    parser.add_argument("--clip", action="store_true", help="a driver's frames are neighbors in a video")
    parser.add_argument("--in_training", action="store_true", help="the drivers are the people in training")
    given = parser.parse_args()
    settings = synthetic.Settings(
        identities=given.identities,
        train_per_identity=given.frames + _MEASURED * given.in_training,
        validation_per_identity=_KNOWN[-1],
        test_per_identity=_KNOWN[-1],
        test_identities=given.drivers,
        seed=given.seed,
        aligned=given.aligned,
    )
    kind = "frames of a clip" if given.clip else "independent frames"
    if given.in_training:
        rows = _known_drivers(settings, given.frames, given.clip)
        print(f"{given.identities} people in training drive each other; trained on {kind}")
    else:
        people, model = _training(settings)
        rows = [_errors(settings, given.split, driver, people, model, given.clip) for driver in range(given.drivers)]
        print(f"{given.drivers} {given.split} people drive {given.identities} people in training; {kind}")
    resampled = np.random.default_rng(0).integers(0, len(rows), (2000, len(rows)))
    single = np.array([row["1 frame"] for row in rows])
    for name in rows[0]:
        errors = np.array([row[name] for row in rows])
        low, high = np.quantile((errors - single)[resampled].mean(1), (0.025, 0.975))
        print(f"{name:>14}  {errors.mean():7.2%}   less that of 1 frame: {low:+.2%} to {high:+.2%}")
    return 0


def _training(settings: synthetic.Settings) -> tuple[list[synthetic.Sample], shape_model.ShapeModel]:
    """A frame of each person in training, and the statistics of all."""
    samples = [synthetic.sample(settings, "train", i) for i in range(settings.count("train"))]
    landmarks = np.stack([synthetic.landmarks(one) for one in samples])
    each = landmarks.reshape(-1, settings.identities, *landmarks.shape[1:])
    return samples[: settings.identities], jax.jit(shape_model.fit)(jnp.asarray(each))


def _errors(
    settings: synthetic.Settings,
    split: str,
    driver: int,
    people: list[synthetic.Sample],
    model: shape_model.ShapeModel,
    clip: bool,
) -> dict[str, float]:
    """The mean error of each conversion of one driver's frames to everybody in training."""
    frames = [synthetic.sample(settings, split, driver + i * settings.test_identities) for i in range(_KNOWN[-1])]
    frames = _clip(frames) if clip else frames
    landmarks = np.stack([_landmarks(frame, settings.aligned) for frame in frames])
    measured = evenly_spaced(np.arange(len(frames)), _MEASURED)
    truth = np.stack([[_taking(one, frames[i], settings.aligned) for i in measured] for one in people])

    def error(converted: list[np.ndarray]) -> float:
        return _error(np.stack(converted), truth)

    def converted(known: shape_model.ShapeModel) -> list[np.ndarray]:
        return [np.asarray(shape_model.convert(known, landmarks[measured], i)) for i in range(len(people))]

    means = [np.asarray(mean).reshape(-1, 2) for mean in model.people]
    found = {
        "none": error([landmarks[measured]] * len(people)),
        "own means": error([landmarks[measured] - landmarks.mean(0) + mean for mean in means]),
        "1 frame": error(converted(model)),
    }
    for count in _KNOWN:
        known = landmarks[evenly_spaced(np.arange(len(frames)), count)]
        found[f"{count} frames"] = error(converted(shape_model.with_driver(model, jnp.asarray(known))))
    return found


def _known_drivers(settings: synthetic.Settings, count: int, clip: bool) -> list[dict[str, float]]:
    """The same errors for each person in training, whose `count` first frames train and whose others drive."""
    samples = [synthetic.sample(settings, "train", i) for i in range(settings.count("train"))]
    people = [samples[i :: settings.identities] for i in range(settings.identities)]
    trained = [_clip(frames[:count]) if clip else frames[:count] for frames in people]
    landmarks = np.stack([[_landmarks(one, settings.aligned) for one in frames] for frames in trained], 1)
    model = jax.jit(shape_model.fit)(jnp.asarray(landmarks))
    rows = []
    for driver, frames in enumerate(people):
        points = np.stack([_landmarks(one, settings.aligned) for one in frames[count:]])
        others = [i for i in range(len(people)) if i != driver]
        truth = np.stack([[_taking(people[i][0], one, settings.aligned) for one in frames[count:]] for i in others])
        means = [np.asarray(model.people[i] - model.people[driver]).reshape(-1, 2) for i in others]
        unknown = [shape_model.convert(model, points, i) for i in others]
        known = [shape_model.convert(model, points, i, driver) for i in others]
        rows.append(
            {
                "none": _error(np.stack([points] * len(others)), truth),
                "own means": _error(np.stack([points + mean for mean in means]), truth),
                "1 frame": _error(np.stack(unknown), truth),
                "known driver": _error(np.stack(known), truth),
            }
        )
    return rows


def _error(converted: np.ndarray, truth: np.ndarray) -> float:
    """The mean distance of landmarks over the inter-ocular distance of the truth."""
    return float((np.linalg.norm(converted - truth, axis=-1).mean(-1) / inter_ocular(truth, WFLW98)).mean())


def _clip(frames: list[synthetic.Sample]) -> list[synthetic.Sample]:
    """As many frames, on straight lines from one of the first few poses and expressions to the next."""
    places = np.linspace(0, _CLIP - 1, len(frames))
    found = []
    for place in places:
        first = min(int(place), _CLIP - 2)
        one, other, share = frames[first], frames[first + 1], place - first
        between = {
            name: _between(getattr(one, name), getattr(other, name), share)
            for name in ("action_units", "lopsided", "yaw", "pitch", "roll", "gaze", "shift", "scale")
        }
        found.append(dataclasses.replace(one, **between))
    return found


def _between(one, other, share: float):
    if isinstance(one, tuple):
        return tuple(_between(a, b, share) for a, b in zip(one, other))
    return float((1 - share) * one + share * other)


def _taking(person: synthetic.Sample, driver: synthetic.Sample, aligned: bool) -> np.ndarray:
    """Landmarks of a person with the driver's pose and expression."""
    taken = {name: getattr(driver, name) for name in (*EXPRESSION, *POSE)}
    return _landmarks(dataclasses.replace(person, **taken), aligned)


def _landmarks(sample: synthetic.Sample, aligned: bool) -> np.ndarray:
    return synthetic.landmarks(synthetic.aligned(sample) if aligned else sample)


if __name__ == "__main__":
    sys.exit(main())
