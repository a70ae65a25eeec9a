"""Evaluation of LandmarkGAN, declared by `evaluate.EVALUATION`."""
