"""Decoding: from logits to tokens."""

from .greedy import greedy

__all__ = ["greedy"]
