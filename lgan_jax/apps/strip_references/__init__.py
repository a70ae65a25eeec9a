"""Writes a copy of a LandmarkGAN run without the frames of its training identities."""
