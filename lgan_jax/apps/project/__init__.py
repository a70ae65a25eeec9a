"""Generates an image with the appearance of one photo and the facial expression of another, by StyleGAN2."""
