"""Evaluation of landmark and expression guided synthesis: `evaluate.EVALUATION` declares it."""
