"""Finds the latent from which a trained BEGAN generates a face, and interpolates between two.

python -m lgan_jax.apps.invert --workdir RUN --image FACE.jpg
python -m lgan_jax.apps.invert --workdir RUN --interpolate A.jpg B.jpg --steps 14
"""
