"""Training phase of the generator on pairs of photographs: each target is first brought over its source.

Two photos of one person never have exactly the same pose, and each is aligned by its own face. So the target is moved
by the similarity that brings the eyes' corners and the bridge of the nose onto the source's. The landmarks of both
then say what the flow should be, at places that few pixels would tell.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from lgan_jax.core import Batch, Metrics, folded
from lgan_jax.landmarks import Scheme, to_ibug68
from lgan_jax.methods.dftnet import losses
from lgan_jax.methods.dftnet.editing import Image, Keys
from lgan_jax.methods.dftnet.networks import Edited, GANimation
from lgan_jax.methods.dftnet.pairs import PairsPhase
from lgan_jax.ops import augment, procrustes
from lgan_jax.ops.frontal import STABLE
from lgan_jax.ops.warp import affine_image

Landmarks = Float[Array, "batch n 2"]


class RegisteredPairsPhase(PairsPhase):
    """The phase that trains the generator of DFT-Net on pairs whose poses differ slightly.

    Its augmentation changes both images of a pair alike, in place, size and light. It also uses the weights of
    landmarks and edges.
    """

    keys = ("image", "action_units", "landmarks")

    def sources_and_targets(self, batch: Batch, keys: Keys) -> tuple[Batch, Batch]:
        source, target = super().sources_and_targets(batch, keys)
        image, landmarks = registered(target["image"], target["landmarks"], source["landmarks"], self.faces.scheme)
        target = {**target, "image": image, "landmarks": landmarks}
        settings, scheme = self.settings.augmentation, self.faces.scheme
        return changed(source, keys, settings, scheme), changed(target, keys, settings, scheme)

    def _mirrored(self, image: Image, keys: Keys) -> Image:
        """The image itself: `changed` mirrors it with its landmarks."""
        del keys
        return image

    def _losses(self, edited: Edited, source: Batch, target: Batch) -> Metrics:
        return {
            **super()._losses(edited, source, target),
            "landmarks": losses.landmarks(edited.flow, source["landmarks"], target["landmarks"], self.faces.scheme),
            "edges": losses.edges(edited.image, target["image"]),
        }

    def eval_step(self, state, batch: Batch) -> Metrics:
        """See `PairsPhase`; the second image is brought over the first."""
        image, landmarks = jnp.asarray(batch["image"]), jnp.asarray(batch["landmarks"])
        second, _ = registered(image[:, 1], landmarks[:, 1], landmarks[:, 0], self.faces.scheme)
        return super().eval_step(state, {**batch, "image": jnp.stack([image[:, 0], second], 1)})


class BaselineRegisteredPairsPhase(RegisteredPairsPhase):
    """The phase that trains GANimation's generator on such pairs; it has no flow for the landmarks' loss."""

    network = GANimation


def registered(image: Image, landmarks: Landmarks, reference: Landmarks, scheme: Scheme) -> tuple[Image, Landmarks]:
    """Images and landmarks after the similarity that brings stable points of the landmarks onto the reference's.

    Images are in [-1, 1]; their borders are repeated where nothing is known.
    """
    points = (to_ibug68(each, scheme)[:, STABLE] for each in (landmarks, reference))
    transform = procrustes.similarity(*points)
    matrix, offset = transform[..., :2], transform[..., 2]
    middle = jnp.full((2,), 0.5)
    shift = offset + jnp.einsum("bij,j->bi", matrix, middle) - middle.reshape(1, 2)
    return jax.vmap(affine_image)(image, matrix, shift), procrustes.apply(transform, landmarks)


def changed(face: Batch, keys: Keys, settings: augment.Settings, scheme: Scheme) -> Batch:
    """Augmented faces, with their landmarks."""
    if settings == augment.NONE:
        return face

    def one(key: jax.Array, image: Array, landmarks: Array) -> tuple[Array, Array]:
        return augment.augmented(settings, scheme, key, image, landmarks)

    image, landmarks = jax.vmap(one)(folded(keys, 3), (face["image"] + 1) / 2, face["landmarks"])
    return {**face, "image": 2 * image - 1, "landmarks": landmarks}
