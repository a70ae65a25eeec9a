"""Evaluation of made faces with landmarks (Bazrafkan et al.)."""
