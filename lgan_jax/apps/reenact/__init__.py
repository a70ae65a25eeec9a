"""Drives a trained person's face by the face in a video, in photos or in one photo (section 3.3 of Sun et al. 2022).

python -m lgan_jax.apps.reenact --workdir RUN --driving IN.mp4 --target NAME --out OUT.mp4
"""
