"""Gives the face in a photo another expression.

By action units (Wang et al., DFT-Net), or by another face's landmarks and a label (Li et al., IEEE Access 2021):

  python -m lgan_jax.apps.express --workdir RUN --image FACE.png --expression happiness
  python -m lgan_jax.apps.express --workdir RUN --image FACE.png --landmarks-from OTHER.png --expression happiness
"""
