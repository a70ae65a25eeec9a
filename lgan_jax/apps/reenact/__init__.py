"""Drives a trained person's face by the face in a video, in photos or in one photo (section 3.3 of Sun et al. 2022)."""
