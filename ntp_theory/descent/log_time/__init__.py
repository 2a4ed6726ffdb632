"""Gradient flow in the logarithm of time."""
