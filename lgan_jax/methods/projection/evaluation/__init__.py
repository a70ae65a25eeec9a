"""Evaluation of StyleGAN2 and of projections onto it: `evaluate.EVALUATION` declares it."""
