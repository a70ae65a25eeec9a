"""Samples faces with landmark annotations as a data set (Bazrafkan et al.)."""
