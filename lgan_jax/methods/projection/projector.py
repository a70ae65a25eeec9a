"""Landmark-guided projection: optimizes style and noise maps for one image's appearance and another's landmarks.

The objective and its schedules are the published tool's: λ_look·LPIPS + λ_landmarks·‖w·ΔFAN‖ + λ_noise·regularity,
1,000 steps of Adam on one style for all places and on the noise maps, from the mean style. Beyond it, a search may
start at the best of many sampled styles, be regularized towards styles of the mapping network, and have a style for
each place.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Float32

from lgan_jax import checks, config, inversion, optimizers
from lgan_jax.landmarks import IBUG68, Scheme
from lgan_jax.methods.projection import losses, styles
from lgan_jax.methods.projection.networks import Generator, noise_sides, noisy
from lgan_jax.nn import lpips
from lgan_jax.nn.chunks import in_chunks
from lgan_jax.ops.heatmaps import gaussians, peaks

_OUT_OF_MEMORY = "RESOURCE_EXHAUSTED"  # what XLA's error begins with
_SEED = 123  # of the sampled styles, the published tool's
_AT_ONCE = 500  # styles that are sampled at a time
_NEAR = 0.02  # share of the candidates that are near a look; of 5 % some are other people
_FLAT = 0.2  # height of a landmark's map, of about 1 where it is sure, below which it says nothing

Images = Float32[np.ndarray, "_ _ _ 3"]
Points = Float32[np.ndarray, "_ points 2"]
Locate = Callable[[Float[Array, "batch height width points"]], Float[Array, "batch points 2"]]


def highest(heatmaps: Float[Array, "batch height width points"]) -> Float[Array, "batch points 2"]:
    """Landmarks in [0, 1] where maps are highest."""
    return peaks(heatmaps)[0]


class Seer(NamedTuple):
    """A network applied to images in [-1, 1] of the generator's size: `see(variables, images)`."""

    see: Callable[[Any, Array], Any]
    variables: Any


@dataclasses.dataclass(frozen=True)
class Settings:
    """The published tool's, where `landmarks` is 0.05 to 0.1; `prior`, `candidates` and `space` are ours.

    Attributes:
      steps: optimizer steps.
      learning_rate: peak learning rate of Adam.
      warmup_fraction: share of the steps with linear warm-up from 0.
      decay_fraction: share of the steps, at the end, with cosine decay to 0.
      noise: initial noise on the style, in standard deviations of styles.
      noise_fraction: share of the steps in which that noise decays quadratically to 0; 0 for no noise.
      look: weight of LPIPS.
      landmarks: weight of the heatmaps' distance.
      regularity: weight of the noise maps' regularity, if noise has an effect in the generator.
      prior: weight of how unusual the style is, see `styles.unusual`.
      candidates: sampled styles; of the 2 % whose images are nearest in appearance (of all, if its weight is 0) the
        search starts at the one of least loss, restarts at the next ones; 0: all start at the mean style.
      space: of the styles: "w", one for all of the generator's places, or "w+", one for each (Abdal et al., ICCV 2019).
      samples: sampled styles for mean and standard deviation.
      slots: images, times restarts, projected at a time.
      every: steps between two reports.
    """

    steps: int = 1000
    learning_rate: float = 0.1
    warmup_fraction: float = 0.05
    decay_fraction: float = 0.25
    noise: float = 0.05
    noise_fraction: float = 0.75
    look: float = 1.0
    landmarks: float = 0.1
    regularity: float = 1e5
    prior: float = 0.0
    candidates: int = 0
    space: Literal["w", "w+"] = "w"
    samples: int = 10_000
    slots: int = 8
    every: int = 10

    def __post_init__(self) -> None:
        config.within(self, 1, math.inf, "steps", "samples", "slots", "every")
        config.within(self, 0, math.inf, "look", "landmarks", "regularity", "noise", "prior", "candidates")
        config.within(self, 0, 1, "warmup_fraction", "decay_fraction", "noise_fraction")  # shares of the steps
        optimizers.Adam(learning_rate=self.learning_rate)  # which refuses what is none

    def rate(self, step: Any) -> Any:
        """The learning rate of the step after `step` others, by the tool's formula: ramps are shares of the steps."""
        done = step / self.steps
        warmup = jnp.minimum(done / self.warmup_fraction, 1) if self.warmup_fraction else 1.0
        left = jnp.minimum((1 - done) / self.decay_fraction, 1) if self.decay_fraction else 1.0
        return self.learning_rate * warmup * (0.5 - 0.5 * jnp.cos(math.pi * left))

    @property
    def search(self) -> inversion.Settings:
        """How `inversion` is to search, at `rate`: the last step's parameters count."""
        optimizer = optimizers.Adam(learning_rate=self.learning_rate)
        last = 1 - 0.5 / self.steps  # less than 1, to which shares are rounded
        how = {"tolerance": 0.0, "best_from": last, "slots": self.slots, "every": min(self.every, self.steps)}
        return inversion.Settings(steps=self.steps, optimizer=optimizer, **how)


class Projection(NamedTuple):
    """Projections of n image pairs.

    Attributes:
      style: w, or w+: one for each of the generator's places.
      noise: the maps, in the generator's order.
      image: the generated images, in [-1, 1].
      loss, terms: after the last step.
      restart: index of the best restart.
    """

    style: Float32[np.ndarray, "n *places features"]
    noise: list[Float32[np.ndarray, "n _ _"]]
    image: Images
    loss: Float32[np.ndarray, " n"]
    terms: dict[str, Float32[np.ndarray, " n"]]
    restart: np.ndarray


class Projector:
    """Projects image pairs; compiled once for each number of slots.

    Attributes:
      generator: the module.
      settings: see `Settings`.
      scheme: of the landmarks.
      mean: the mean style.
      std: root of the mean squared distance of styles from it, over all features.
    """

    def __init__(
        self,
        generator: tuple[Generator, Any],
        look: Seer,
        landmarks: Seer,
        weights: Float32[np.ndarray, " points"],
        settings: Settings,
        say: Callable[[str], None] = print,
        scheme: Scheme = IBUG68,
        locate: Locate = highest,
        sigma: float = 1.0,
    ) -> None:
        """Builds the projector of a generator with its variables, and two networks.

        Args:
          generator: module and variables.
          look: gives the features that `lpips.distance` compares.
          landmarks: gives heatmaps `(batch, h, w, points)`, about 1 where a landmark surely is.
          weights: of each landmark; see `losses.landmark_weights`.
          settings: see `Settings`.
          say: called with a line when memory was too small.
          scheme: of the landmarks.
          locate: finds them in heatmaps.
          sigma: of the Gaussian, in heatmap pixels, that the network was trained to predict for a landmark; FAN's is 1.

        Raises `ValueError` for a class-conditional generator, and for a prior of too few samples.
        """
        self.generator, variables = generator
        if self.generator.labels:
            raise ValueError(
                f"this generator is conditional on {self.generator.labels} classes; give an unconditional one"
            )
        if settings.prior and settings.samples <= self.generator.style:
            few, features = settings.samples, self.generator.style
            raise ValueError(f"samples is {few}; a prior needs more than the {features} features of a style")
        self.settings, self.scheme, self._say = settings, scheme, say
        self._noisy = noisy(variables)
        networks = {"generator": variables, "look": look.variables, "landmarks": landmarks.variables}
        self._shared = jax.device_put(networks)
        self._look, self._heatmaps = jax.jit(look.see), jax.jit(landmarks.see)
        self._locate = jax.jit(lambda seen, image: locate(landmarks.see(seen, image)))
        one = jax.ShapeDtypeStruct((1, *self._shape), jnp.float32)
        sides = jax.eval_shape(landmarks.see, landmarks.variables, one).shape[1:3]
        self._render = jax.jit(lambda points: gaussians(points, *sides, sigma))
        self._draw = jax.jit(lambda v, style, noise: self.generator.apply(v, style, noise, method="draw"))
        self._map = jax.jit(lambda v, z: self.generator.apply(v, z, method="map"))
        self._inverters: dict[int, inversion.Inverter] = {}  # by the number of slots
        self._compare = jax.jit(self._compared)
        self.mean, self.std, measure = styles.spread(self.sample_styles(settings.samples, _SEED))
        self._shared |= jax.device_put({"std": self.std, "weights": weights, "measure": measure})

    def __call__(
        self,
        look: Images,
        landmarks: Images | Points,
        restarts: int = 1,
        key: Array | None = None,
        progress: Callable[[inversion.Progress], None] | None = None,
        start: Projection | None = None,
        shares: Float32[np.ndarray, "n 2"] | None = None,
    ) -> Projection:
        """Projects pairs of images in [-1, 1], each of which must have the generator's size.

        Args:
          look: images whose appearance the results take.
          landmarks: images whose landmarks the results take, as the network detects them; or the landmarks
            `(n, points, 2)` themselves, in [0, 1].
          restarts: from other noise, and another candidate; the best is returned.
          key: for the noise.
          progress: called with the progress; see `inversion`.
          start: initial styles (w or w+, which they stay) and noise maps, instead of the mean style and new noise maps.
          shares: weights of look and landmarks for each pair, instead of the settings'.

        Raises:
          ValueError: images of another size or outside [-1, 1], another number of landmarks or landmarks in pixels,
            fewer candidates than restarts, or memory too small for one image.
          inversion.Diverged: with the `Projection` of all pairs.
        """
        look, landmarks = self._checked(look, landmarks)
        if 0 < self.settings.candidates < restarts:
            raise ValueError(f"{restarts} restarts need as many candidates; there are {self.settings.candidates}")
        key = jax.random.key(0) if key is None else key
        if shares is None:
            shares = np.tile(np.float32([self.settings.look, self.settings.landmarks]), (len(look), 1))
        heatmaps = self.heatmaps(landmarks) if landmarks.ndim == 4 else np.asarray(self._render(landmarks))
        targets = {"look": self.look(look), "heatmaps": heatmaps, "shares": shares}
        begin = self._start(targets, jax.random.fold_in(key, 0), start, restarts)
        try:
            return self._drawn(self._search(begin, targets, jax.random.fold_in(key, 1), progress))
        except inversion.Diverged as error:
            raise inversion.Diverged(error.rows, self._drawn(error.found)) from None

    def following(self, steps: int) -> Projector:
        """A projector with the same networks that continues from the projection of the previous video frame.

        A fifth of the published learning rate, no noise on the style.
        """
        other, rate = copy.copy(self), min(0.2 * Settings.learning_rate, self.settings.learning_rate)
        other.settings = dataclasses.replace(self.settings, steps=steps, learning_rate=rate, noise=0.0)
        other._inverters = {}
        return other

    def look(self, images: Images) -> list[np.ndarray]:
        """Appearance features of images of any size from 32 pixels on."""
        return in_chunks(lambda chunk: self._look(self._shared["look"], chunk), images)

    def heatmaps(self, images: Images) -> np.ndarray:
        """Heatmaps of the landmarks."""
        return in_chunks(lambda chunk: self._heatmaps(self._shared["landmarks"], chunk), images)

    def locate(self, images: Images) -> Float32[np.ndarray, "n points 2"]:
        """Detects landmarks, in [0, 1]."""
        return in_chunks(lambda chunk: self._locate(self._shared["landmarks"], chunk), images)

    def heatmap_distance(self, images: Images, others: Images) -> Float32[np.ndarray, " n"]:
        """Weighted distance of the heatmaps of each pair, as in the loss."""
        maps = (jnp.asarray(self.heatmaps(x)) for x in (images, others))
        return np.asarray(losses.heatmap_distance(*maps, self._shared["weights"]))

    def draw(self, style: ArrayLike, noise: Sequence[ArrayLike]) -> Images:
        """Generates the images of styles and noise maps."""
        drawn = in_chunks(lambda *chunk: self._draw(self._shared["generator"], chunk[0], chunk[1:]), style, *noise)
        return np.asarray(drawn, np.float32)

    def objective(
        self, shared: Any, parameters: Any, target: Any, moment: inversion.Moment
    ) -> tuple[Float[Array, " rows"], dict[str, Float[Array, " rows"]]]:
        """The loss of each row, and its terms, weighted; see `inversion`."""
        settings, style = self.settings, parameters["style"]
        share, until = moment.share, settings.noise_fraction
        remaining = jax.nn.relu(1 - share / until) if until else jnp.zeros_like(share)
        scale = shared["std"] * settings.noise * remaining**2
        drawn = jax.vmap(lambda key: jax.random.normal(key, style.shape[1:]))(moment.keys)
        moved = style + jnp.expand_dims(scale, range(1, style.ndim)) * drawn
        image = self._draw(shared["generator"], moved, parameters["noise"])
        terms = self._distances(shared, image, target)
        if self._noisy:
            terms["noise"] = settings.regularity * losses.noise_regularity(parameters["noise"])
        if settings.prior:
            terms["prior"] = settings.prior * styles.unusual(style, shared["measure"])
        return sum(terms.values()), terms

    def _distances(self, shared: Any, image: Array, target: Any) -> dict[str, Float[Array, " rows"]]:
        """From images to their targets, weighted."""
        seen, maps = self._look(shared["look"], image), self._heatmaps(shared["landmarks"], image)
        apart = losses.heatmap_distance(maps, target["heatmaps"], shared["weights"])
        return {
            "look": target["shares"][:, 0] * lpips.distance(target["look"], seen),
            "landmarks": target["shares"][:, 1] * apart,
        }

    def _search(self, begin: Any, targets: Any, key: Array, progress: Any) -> inversion.Found:
        """Searches; halves the slots where memory does not suffice."""
        slots = self.settings.slots
        while slots:
            try:
                return self._inverter(slots)(self._shared, begin, targets, key, progress)
            except jax.errors.JaxRuntimeError as error:
                if _OUT_OF_MEMORY not in str(error):
                    raise
            slots = min(slots, len(begin["style"])) // 2
            if slots:
                self._say(f"memory is too small for that many images at a time: going on with {slots}")
        raise ValueError(f"memory is too small to project onto {self.generator.size} pixels, even one image")

    def _drawn(self, found: inversion.Found) -> Projection:
        style, noise = found.parameters["style"], found.parameters["noise"]
        return Projection(style, noise, self.draw(style, noise), found.loss, dict(found.terms), found.restart)

    def _inverter(self, slots: int) -> inversion.Inverter:
        if slots not in self._inverters:
            search = dataclasses.replace(self.settings.search, slots=slots)
            self._inverters[slots] = inversion.Inverter(self.objective, search, _renormalized, self.settings.rate)
        return self._inverters[slots]

    def _start(self, targets: Any, key: Array, start: Projection | None, restarts: int) -> dict[str, Any]:
        if start is not None:
            style, *noise = (np.repeat(x, restarts, 0) for x in (start.style, *start.noise))
            return {"style": style, "noise": noise}
        sides, rows = noise_sides(self.generator.channels), len(targets["shares"]) * restarts
        keys = jax.random.split(key, len(sides))
        noise = [np.asarray(jax.random.normal(k, (rows, side, side))) for k, side in zip(keys, sides)]
        style = np.tile(self.mean, (rows, 1))
        if self.settings.candidates:
            style = self._nearest(targets, [x[0] for x in noise], restarts)
        if self.settings.space == "w+":
            style = np.repeat(style[:, None], self.generator.places, 1)
        return {"style": style, "noise": noise}

    def _nearest(self, targets: Any, noise: Sequence[np.ndarray], count: int) -> Float32[np.ndarray, "rows features"]:
        """For each target the `count` candidates to start at, in their order: of those near the look, the best.

        A search that starts at another person, who has the landmarks, stays there. Images have this noise.
        """
        candidates = self.sample_styles(self.settings.candidates, _SEED + 1)
        nearest = np.empty((len(targets["shares"]), count), int)
        for rows in _parts(np.arange(len(nearest)), self.settings.slots):
            some = jax.device_put(jax.tree.map(lambda x, rows=rows: x[rows], targets))
            found = in_chunks(functools.partial(self._compare, self._shared, noise, some), candidates)
            nearest[rows] = np.stack([_chosen(*terms, count) for terms in found.transpose(2, 1, 0)])
        return candidates[nearest.reshape(-1)]

    def _compared(self, shared: Any, noise: Any, targets: Any, style: Array) -> Float[Array, "candidates terms n"]:
        """The terms of the loss: look, landmarks."""

        def repeated(one: Any) -> Any:
            return jax.tree.map(lambda x: jnp.broadcast_to(x, (len(style), *x.shape)), one)

        def terms(target: Any) -> Array:
            found = self._distances(shared, image, repeated(target))
            return jnp.stack([found["look"], found["landmarks"]], 1)

        image = self._draw(shared["generator"], style, repeated(noise))
        return jax.vmap(terms, out_axes=2)(targets)

    def sample_styles(self, count: int, seed: int) -> Float32[np.ndarray, "count features"]:
        """Styles of normally distributed numbers, drawn as the published tool draws them."""
        draw = np.random.RandomState(seed)
        parts = _parts(draw.randn(count, self.generator.latent).astype(np.float32), _AT_ONCE)
        return np.concatenate([np.asarray(self._map(self._shared["generator"], z)) for z in parts])

    @property
    def _shape(self) -> tuple[int, int, int]:
        """Of an image."""
        return self.generator.size, self.generator.size, 3

    def _checked(self, look: Images, landmarks: Images | Points) -> tuple[Images, Images | Points]:
        """Both in range, images clipped to it where they are outside by a rounding error."""
        look = checks.images(look, None, *self._shape, what="images of the look")
        if landmarks.ndim == 4:
            return look, checks.images(landmarks, len(look), *self._shape, what="images of the landmarks")
        return look, checks.landmarks(landmarks, len(look), len(self._shared["weights"]), 2, scheme=self.scheme.name)


def flat(heatmaps: Float[np.ndarray, "n height width points"], inner: np.ndarray) -> np.ndarray:
    """Of n images, whether a face alignment network saw no face in them, or one in profile.

    That is where half of its maps of the points `inner`, inside the outline, are flat.
    """
    return np.median(heatmaps.max((1, 2))[:, inner], 1) < _FLAT


def _chosen(look: np.ndarray, landmarks: np.ndarray, count: int) -> np.ndarray:
    """Places of the `count` candidates with the least loss, of those nearest to the look, where it counts."""
    near = np.argsort(look)[: max(count, round(_NEAR * len(look)))] if look.any() else np.arange(len(look))
    return near[np.argsort((look + landmarks)[near])[:count]]


def _renormalized(parameters: Any) -> Any:
    return {**parameters, "noise": [losses.normalized_noise(x) for x in parameters["noise"]]}


def _parts(rows: np.ndarray, size: int) -> list[np.ndarray]:
    """Of one size, but for the last."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]
