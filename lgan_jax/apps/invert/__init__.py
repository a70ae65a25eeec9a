"""Finds the numbers of which a trained BEGAN makes a face, and the faces between two.

python -m lgan_jax.apps.invert --workdir RUN --image FACE.jpg
python -m lgan_jax.apps.invert --workdir RUN --interpolate A.jpg B.jpg --steps 14
"""
