"""Edits the expression of the face in a photo: by action units (DFT-Net), or another face's landmarks and a label."""
