"""Data sets of faces: public data sets in their original layout, prepared videos and photos, and synthetic faces."""

from lgan_jax.data.dataset import FaceData, Settings, Split
from lgan_jax.data.opening import open_faces

__all__ = ["FaceData", "Settings", "Split", "open_faces"]
