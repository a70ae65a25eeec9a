"""Evaluation of DFT-Net, beside GANimation."""
