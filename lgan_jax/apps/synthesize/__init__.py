"""Makes a data set of faces with their landmarks, which is what Bazrafkan et al. train for.

python -m lgan_jax.apps.synthesize --workdir RUN --count 10000 --out DIR
"""
