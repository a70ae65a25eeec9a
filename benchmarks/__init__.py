"""What costs how much, most of it side by side with PyTorch; runnable, not part of the library."""
