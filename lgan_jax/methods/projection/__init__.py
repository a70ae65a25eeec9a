"""StyleGAN2 and landmark projection: the look of one photo with the expression of another."""
