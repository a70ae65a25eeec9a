"""LandmarkGAN (Sun, Li, Qi & Lyu, Pattern Recognition Letters 2022): faces of chosen people from landmarks."""
