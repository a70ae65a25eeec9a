"""Losses that more than one method uses: pure functions from arrays to a float32 scalar."""
