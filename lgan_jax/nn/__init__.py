"""Flax modules shared by several methods."""
