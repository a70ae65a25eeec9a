"""Finds the latent from which a trained BEGAN generates a face, and interpolates between two."""
