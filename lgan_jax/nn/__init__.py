"""Flax modules that more than one method uses."""
