"""Evaluation of landmark and expression guided synthesis (Li et al., IEEE Access 2021)."""
