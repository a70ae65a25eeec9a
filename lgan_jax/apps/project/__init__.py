"""Generates an image with the appearance of one photo and the facial expression of another, by StyleGAN2.

  python -m lgan_jax.apps.project --network ffhq.pkl --fan 2DFAN4.zip --vgg vgg16.pt \
    --look A.jpg --landmarks B.jpg --out DIR
  python -m lgan_jax.apps.project --workdir RUN --look A.jpg --landmarks B.jpg --out DIR
"""
