"""Evaluation of BEGAN's generated faces with landmarks (Bazrafkan et al.), declared by `evaluate.EVALUATION`."""
