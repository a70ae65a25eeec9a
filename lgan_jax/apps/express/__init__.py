"""Gives the face in a photo another expression, by action units (Wang et al., DFT-Net).

python -m lgan_jax.apps.express --workdir RUN --image FACE.png --emotion happiness
"""
