"""Evaluation of generated faces with landmarks (Bazrafkan et al.): `evaluate.EVALUATION` declares it."""
