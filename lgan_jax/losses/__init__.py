"""Losses shared by several methods: pure functions from arrays to a float32 scalar."""
