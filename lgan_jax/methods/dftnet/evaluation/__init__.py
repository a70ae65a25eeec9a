"""Evaluation of DFT-Net and its baseline GANimation, declared by `evaluate.EVALUATION`."""
