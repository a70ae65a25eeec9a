"""Faces of a person with the landmarks and the expression of another picture (Li et al., IEEE Access 2021)."""
