"""Hypothesis strategies for data and decoders: for tests of this library and of what builds on it."""

from .strategies import KINDS, datasets, decoders, probability_rows

__all__ = ["KINDS", "datasets", "decoders", "probability_rows"]
