"""Faces to train on: data sets as their owners distribute them, one's own videos, and the built-in faces."""

from lgan_jax.data.dataset import FaceData, Settings, Split, open_faces

__all__ = ["FaceData", "Settings", "Split", "open_faces"]
