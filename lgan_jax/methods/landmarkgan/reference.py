"""The generator phase in the form "reference": one network for all identities that refines warped reference frames.

This form is not in the paper, where each identity has a network that renders from landmarks alone; the losses are the
same (Eq. 2, 3 and 6). The state stores a few frames of each identity. They are warped to the target landmarks and
blended (`references`), and a network shared by all identities refines the blends (`networks.ReferenceRefiner`). So it
generalizes to unseen persons, given some frames.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from lgan_jax.core import Batch, FaceInfo, Finished, Metrics, example_keys, folded
from lgan_jax.landmarks import mirrored
from lgan_jax.methods.landmarkgan import references, shape_model
from lgan_jax.methods.landmarkgan.converter import ConverterPhase, partner_shift
from lgan_jax.methods.landmarkgan.generator import Images, Landmarks, LandmarksPhase
from lgan_jax.methods.landmarkgan.networks import ReferenceRefiner
from lgan_jax.methods.landmarkgan.references import Blended
from lgan_jax.methods.landmarkgan.settings import Settings
from lgan_jax.nn.initialisers import initial_variables
from lgan_jax.nn.patch_discriminator import PatchDiscriminator
from lgan_jax.ops import dsnt
from lgan_jax.training.train_state import TrainState

_FEWEST = 0.1  # smallest expected share of the reference frames in a training example
_GAIN, _BRIGHTNESS = 0.1, 0.05  # standard deviations of the color augmentation, images in [-1, 1]
_WIDTH = 64  # channels of the refiner at half the image's size for `settings.width` 1


class ReferencePhase(LandmarksPhase):
    """The phase that trains the refiner and one discriminator, shared by all identities, with the detector frozen.

    Each step generates every identity t twice. First, from the landmarks of another identity s, converted to t: these
    faces have the loss of Eq. 3 and are the inputs of Eq. 6's discriminator, as in the joint phase. Second, from its
    own landmarks L or, for half of the examples, from L after a cycle through another identity, with Ω's error. These
    faces have the losses of Eq. 2 and 3 against the frame itself, so the network learns to correct errors of
    conversion and detection. The reference frames are a random subset in each step, without the frame itself. Faces
    and frames have the same random mirroring and color augmentation.
    """

    holds_frames = True
    per_identity = ()

    def _build(self, settings: Settings, faces: FaceInfo, dtype: Any) -> None:
        self._generator = ReferenceRefiner(faces.scheme, max(8, round(_WIDTH * settings.width)), dtype)
        self._discriminator = PatchDiscriminator(settings.discriminator_width, dtype)

    def init(self, key: jax.Array, batch: Batch) -> TrainState:
        """See `Phase`. Takes reference frames and statistics from `batch`, which has some frames of each identity."""
        keys = jax.random.split(key)
        image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
        blank = jnp.zeros((1, *image.shape[2:]))
        generator = initial_variables(self._generator, keys[0], blank, blank, landmarks[0, :1])["params"]
        generator["head"] = jax.tree.map(jnp.zeros_like, generator["head"])
        params = {
            "generators": generator,
            "discriminators": initial_variables(self._discriminator, keys[1], blank)["params"],
            "converter": self._converter_params,
        }
        state = self._beginning(params, batch)

        def detect(image: Array) -> Array:
            return self.detect(state, image)

        settings = self.settings
        known = references.chosen(
            image, landmarks, settings.references, self.faces.scheme, detect, settings.detector_share
        )
        return _with_frozen(state, references=known)

    @classmethod
    def examples(cls, settings: Settings) -> int:
        """See `Phase`. At least the number of reference frames per identity."""
        return max(super().examples(settings), settings.references)

    @property
    def _owners(self) -> Sequence[str]:
        return ("all identities",)

    def _stack(self, params: Any) -> Any:
        return jax.tree.map(lambda x: x[None], params)

    def _unstack(self, params: Any) -> Any:
        return jax.tree.map(lambda x: x[0], params)

    def _by_network(self, values: Any) -> Any:
        return values.mean(keepdims=True)

    def unconstrained(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any, driver: Any = shape_model.UNKNOWN
    ) -> Float[Array, "batch n 2"]:
        """Converts any person's landmarks to the identity of index `target`, without the constraint."""
        if self.converter is None:
            return shape_model.convert(state.frozen["shape"], landmarks, target, driver)
        return super().unconstrained(state, landmarks, target, driver)

    def synthesize(
        self, state: TrainState, landmarks: Float[Array, "batch n 2"], target: Any
    ) -> Float[Array, "batch size size 3"]:
        """Renders faces in [-1, 1] of the identity of index `target` from landmarks converted to it."""
        person = jnp.full((len(landmarks),), target)
        return self._refined(state.ema["generators"], self._blend(state, landmarks, person), landmarks)

    def with_person(
        self, state: TrainState, image: Float[Array, "frames size size 3"], landmarks: Float[Array, "frames n 2"]
    ) -> TrainState:
        """Adds one identity, the last, with these reference frames, without training; returns the new state.

        The frames' anchors are their landmarks, freed from noise by `references.low_rank`: the detector was not trained
        on this person and may be inaccurate.

        Landmarks are converted to this person in closed form. Raises `ValueError` for a run with a trained converter.
        """
        self.check_closed_form()
        references_before, shape = state.frozen["references"], state.frozen["shape"]
        count = references_before.landmarks.shape[1]
        new = references.chosen(image[:, None], landmarks[:, None], count, self.faces.scheme)
        new = new.replace(anchors=references.low_rank(new.landmarks[0], landmarks)[None])
        known = jax.tree.map(lambda old, one: jnp.concatenate([old, one]), references_before, new)
        return _with_frozen(state, references=known, shape=shape_model.with_person(shape, landmarks))

    def check_closed_form(self) -> None:
        """Raises `ValueError` for a run with a trained converter: its set of identities is fixed."""
        if self.converter is not None:
            raise ValueError("this run converts landmarks by a trained network, which has a fixed set of identities")

    def without_people(self, state: TrainState, blank: int = 0) -> TrainState:
        """Removes all identities' frames, mean faces and statistics from the state; shared parts are unchanged.

        `blank` identities with zeros replace them, because checkpoints cannot store empty arrays.

        Raises `ValueError` for a run with a trained converter.
        """
        self.check_closed_form()

        def blanks(tree: Any) -> Any:
            return jax.tree.map(lambda x: jnp.zeros((blank, *x.shape[1:]), x.dtype), tree)

        shape = state.frozen["shape"]
        own = {name: blanks(getattr(shape, name)) for name in shape_model.OF_PEOPLE}
        if watch := state.variables.get("watch"):
            state = state.with_variables(watch=watch.replace(mean_face=blanks(watch.mean_face)))
        return _with_frozen(state, references=blanks(state.frozen["references"]), shape=shape.replace(**own))

    def _make_converter(self, earlier: Mapping[str, Finished]) -> tuple[ConverterPhase | None, Any]:
        """The converter if the config has this phase; otherwise None, and landmarks are converted in closed form."""
        return super()._make_converter(earlier) if "converter" in earlier else (None, None)

    def _generator_loss(
        self, trained: Any, state: TrainState, batch: Batch, key: jax.Array, *, adversarial: bool
    ) -> tuple[Float[Array, ""], tuple[Metrics, Images]]:
        params, image, own = trained["generators"], batch["image"], batch["landmarks"]
        shift_key, *keys = jax.random.split(key, 4)
        shift = partner_shift(shift_key, len(self.faces.identities))
        people = jnp.arange(own.shape[1])
        driving = self._each(state, jnp.roll(own, shift, 1), jnp.roll(people, shift))
        driven = self.generated(params, state, driving, own, keys[0])[0]
        maps = self._heatmaps(state, driven)
        found = jax.lax.stop_gradient(dsnt.to_landmarks(dsnt.dsnt(maps)))
        returned = self._each(state, jnp.roll(found, -shift, 1), jnp.roll(people, -shift))
        detour = jax.vmap(jax.random.bernoulli)(self._keys(keys[1], own))
        given = jnp.where(detour.reshape(*own.shape[:2], 1, 1), returned, own)
        generated, image, own = self.generated(params, state, given, own, keys[2], image)
        metrics = self._reconstruction(state, image, own, generated)
        metrics["i2l"] = (metrics["i2l"] + self._i2l(maps, driving)) / 2
        if adversarial:
            metrics |= self._gan(state, batch["image"], driven)
        total = self._weighted(metrics)
        return total.sum(), ({**metrics, "total": total}, driven)

    def generated(
        self,
        params: Any,
        state: TrainState,
        landmarks: Landmarks,
        own: Landmarks,
        key: jax.Array,
        image: Images | None = None,
    ) -> tuple[Images, Images | None, Landmarks]:
        """Training faces from `landmarks` and a random subset of the reference frames, without the frame itself.

        `own` are the frame's landmarks. With `image`, the frame itself, all inputs have the same augmentation. Returns
        the generated faces, the frame and `own`.
        """
        lead = landmarks.shape[:2]
        keys, landmarks, own = self._keys(key, own), _flat(landmarks), _flat(own)
        person = jnp.tile(jnp.arange(lead[1]), lead[0])
        known = state.frozen["references"].landmarks[person]
        drawn = jax.vmap(lambda each: _subset(each, known.shape[1]))(folded(keys, 0))
        other = jnp.any(known != own[:, None], (-2, -1))
        allowed = jnp.where((drawn & other).any(1, keepdims=True), drawn & other, other)
        blend = self._blend(state, landmarks, person, allowed)
        if image is not None:
            stacked = jnp.stack([_flat(image), *blend], 1)
            stacked, landmarks, own = jax.vmap(self._augmented)(folded(keys, 1), stacked, landmarks, own)
            image, blend = stacked[:, 0].reshape(image.shape), Blended(stacked[:, 1], stacked[:, 2])
        generated = self._refined(params, blend, landmarks)
        return generated.reshape(*lead, *generated.shape[1:]), image, own.reshape(*lead, *own.shape[1:])

    def _augmented(self, key: jax.Array, images: Array, landmarks: Array, own: Array) -> tuple[Array, Array, Array]:
        """Random mirroring and color augmentation of images `(k, H, W, 3)` of one example and its landmarks."""
        keys = jax.random.split(key, 3)
        flip = jax.random.bernoulli(keys[0])
        images = jnp.where(flip, images[:, :, ::-1], images)
        landmarks, own = (jnp.where(flip, mirrored(x, self.faces.scheme), x) for x in (landmarks, own))
        gain = 1 + _GAIN * jax.random.normal(keys[1], (1, 1, 1, 3))
        shift = _BRIGHTNESS * jax.random.normal(keys[2], (1, 1, 1, 1))
        return jnp.clip((images + 1) * gain - 1 + shift, -1, 1), landmarks, own

    def _rendered(self, state: TrainState, generators: Any, landmarks: Landmarks) -> Images:
        person = jnp.tile(jnp.arange(landmarks.shape[1]), landmarks.shape[0])
        flat = _flat(landmarks)
        generated = self._refined(generators, self._blend(state, flat, person), flat)
        return generated.reshape(*landmarks.shape[:2], *generated.shape[1:])

    def _discriminator_outputs(self, discriminators: Any, image: Images) -> tuple[Array, Array]:
        logits, features = self._discriminator.apply({"params": discriminators}, _flat(image))
        return tuple(x.reshape(*image.shape[:2], *x.shape[1:]) for x in (logits, features))

    def _blend(self, state: TrainState, landmarks: Array, person: Array, allowed: Array | None = None) -> Blended:
        if allowed is None:
            allowed = jnp.ones((len(landmarks), state.frozen["references"].landmarks.shape[1]), bool)
        return references.blend(state.frozen["references"], landmarks, person, allowed, self.faces.scheme)

    def _refined(self, params: Any, blend: Blended, landmarks: Array) -> Array:
        return self._generator.apply({"params": params}, blend.smooth, blend.sharp, landmarks)

    def _each(self, state: TrainState, landmarks: Landmarks, drivers: Int[Array, " people"]) -> Landmarks:
        """Converts the landmarks at each identity's index, which are of the driver at this index, to this identity."""
        converted = [self.unconstrained(state, landmarks[:, i], i, drivers[i]) for i in range(landmarks.shape[1])]
        return jnp.stack(converted, 1)

    def _keys(self, key: jax.Array, landmarks: Landmarks) -> Array:
        """One random key for each face of a batch, `(batch · identities,)`."""
        faces = landmarks.shape[1]
        keys = example_keys(key, len(landmarks))
        return jax.vmap(lambda one: jax.random.split(one, faces))(keys).reshape(-1)


def _subset(key: jax.Array, count: int) -> Bool[Array, " {count}"]:
    """A mask of a random subset, of random size, of `count` reference frames."""
    keys = jax.random.split(key)
    return jax.random.uniform(keys[0], (count,)) < jax.random.uniform(keys[1], (1,), minval=_FEWEST)


def _with_frozen(state: TrainState, **changed: Any) -> TrainState:
    return state.replace(frozen={**state.frozen, **changed})


def _flat(x: Array) -> Array:
    """Merges the axes of examples and identities."""
    return x.reshape(-1, *x.shape[2:])


FORMS = {"landmarks": LandmarksPhase, "reference": ReferencePhase}


class GeneratorPhase(LandmarksPhase):
    """The generator phase of a config, of any form."""

    @classmethod
    def variant(cls, settings: Settings) -> type[LandmarksPhase]:
        """See `Phase`: the class of the form in `settings`."""
        return FORMS[settings.form]
