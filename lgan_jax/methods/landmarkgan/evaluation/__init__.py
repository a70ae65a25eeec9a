"""Evaluation of LandmarkGAN."""
