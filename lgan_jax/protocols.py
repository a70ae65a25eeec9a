"""What evaluations and apps need of trained models, as protocols: one for each thing that a model can do.

Images are float `(n, H, W, 3)`, RGB, in [-1, 1]; landmarks `(n, N, 2)` lie in [0, 1]; z has one row an image. Each
method's `model.py` has the class that does it.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

from lgan_jax.core import FaceInfo


@runtime_checkable
class FaceModel(Protocol):
    """Any trained model."""

    @property
    def info(self) -> FaceInfo:
        """Landmark scheme, image size and identities of its data."""


@runtime_checkable
class LandmarkDetector(FaceModel, Protocol):
    """Finds landmarks."""

    def detect(self, images: Any) -> Any:
        """Landmarks of images."""


@runtime_checkable
class LandmarkConverter(FaceModel, Protocol):
    """Renders its identities from anyone's landmarks; see `methods.landmarkgan.model.LandmarkGAN`."""

    @property
    def constraint(self) -> float:
        """Standard deviations within which converted landmarks are held; 0 for none."""

    def convert(self, landmarks: Any, target: Any, constrain: bool = True, driver: Any = None) -> Any:
        """Landmarks of the targets with the expression and pose of `landmarks`, which are `driver`'s, if known."""

    def synthesize(
        self, landmarks: Any, target: Any, convert: bool = True, constrain: bool = True, driver: Any = None
    ) -> Any:
        """Images of the targets."""


@runtime_checkable
class Reenactor(LandmarkConverter, LandmarkDetector, Protocol):
    """Finds landmarks in the images of its identities, too."""


@runtime_checkable
class Clamping(Protocol):
    """Says where the constraint acts."""

    def clamped(self, landmarks: Any, target: Any, driver: Any = None) -> Any:
        """How much of converted landmarks the constraint takes away: `(n,)` in [0, 1]."""


@runtime_checkable
class ClampingReenactor(Reenactor, Clamping, Protocol):
    """What the editor takes."""


@runtime_checkable
class DrivenConverter(LandmarkConverter, Clamping, Protocol):
    """What `reenact` takes: it may learn the driver's face."""

    @property
    def in_closed_form(self) -> bool:
        """Whether landmarks are converted without a network."""

    def with_driver(self, landmarks: Any) -> DrivenConverter:
        """A model that knows some frames `(k, N, 2)` of the driver; where conversion is `in_closed_form`."""


@runtime_checkable
class PersonTaker(LandmarkDetector, Protocol):
    """Takes new people by their frames."""

    def check_takes_people(self) -> None:
        """Raises `ValueError` for a run whose weights hold its identities."""

    def with_person(self, name: str, images: Any, landmarks: Any) -> Any:
        """A model that knows one more person."""


@runtime_checkable
class ActionUnitEditor(FaceModel, Protocol):
    """Edits and estimates action units; see `methods.dftnet.model`."""

    def edit(self, image: Any, action_units: Any, own: Any = None) -> Any:
        """Faces with action units `(n, 17)`: `image`, `flow`, `attention`, `aligned` and `texture`.

        `own` are the faces' action units as they are, where they are known better than by `estimate`.
        """

    def estimate(self, image: Any) -> Any:
        """The action units `(n, 17)` of faces, by the discriminator's regressor."""


@runtime_checkable
class GuidedSynthesizer(FaceModel, Protocol):
    """Gives faces other landmarks and expressions; see `methods.expression.model`."""

    @property
    def left_out(self) -> tuple[str, ...]:
        """What the training had to do without, such as the perceptual loss."""

    def synthesize(self, image: Any, landmarks: Any, expression: Any) -> Any:
        """Faces with other landmarks and expressions (indices `(n,)`)."""


@runtime_checkable
class LandmarkedGenerator(FaceModel, Protocol):
    """Generates faces together with their landmarks; see `methods.began.model`."""

    def generate(self, z: Any) -> Any:
        """Faces of latents."""

    def landmarks(self, z: Any) -> Any:
        """The landmarks of the same faces."""


@runtime_checkable
class LandmarkedSampler(FaceModel, Protocol):
    """Samples faces by number, together with their landmarks."""

    def sample(self, seed: int, count: int, first: int = 0, near: bool = False) -> Any:
        """Generated faces number `first` and on of a seed, with `near` of z near those of training images.

        They are `z`, `image` and `landmarks`.
        """


@runtime_checkable
class Inverter(LandmarkedGenerator, Protocol):
    """Finds the latents of faces, too."""

    def invert(self, image: Any) -> Any:
        """`z`, `image`, `landmarks`, `error` and `updates` of faces."""


@runtime_checkable
class InvertibleGenerator(Inverter, LandmarkedSampler, Protocol):
    """Knows the latents of its training images."""

    @property
    def searched(self) -> Any:
        """Of each training image, `z` and `error` of the inversion; a negative error where it was not inverted."""


@runtime_checkable
class LandmarkProjector(Protocol):
    """Searches latents for one image's appearance with another's landmarks; see `methods.projection.projector`."""

    def __call__(self, look: Any, landmarks: Any, *, shares: Any) -> Any:
        """Of image pairs, with weights `(n, 2)` of appearance and landmarks: `image`."""

    def heatmap_distance(self, images: Any, others: Any) -> Any:
        """The distance of the detector's heatmaps `(n,)`."""


@runtime_checkable
class ProjectingGenerator(LandmarkDetector, Protocol):
    """Generates faces, and projects image pairs onto its generator; see `methods.projection.model`."""

    def sample(self, seed: int, count: int) -> Any:
        """Generated faces: `image`."""

    def look_distance(self, images: Any, others: Any) -> Any:
        """The distance of the discriminator's features `(n,)`."""

    def projector(self, settings: Any) -> LandmarkProjector:
        """A projector onto its generator."""
