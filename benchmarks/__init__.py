"""Side by side with PyTorch; runnable, not part of the library."""
