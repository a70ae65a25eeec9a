"""Samples faces with landmark annotations as a data set (Bazrafkan et al.).

python -m lgan_jax.apps.synthesize --workdir RUN --count 10000 --out DIR
"""
