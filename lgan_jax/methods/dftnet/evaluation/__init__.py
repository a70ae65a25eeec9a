"""Evaluation of DFT-Net beside GANimation: `evaluate.EVALUATION` declares it."""
