"""Evaluation of LandmarkGAN: `evaluate.EVALUATION` declares it."""
