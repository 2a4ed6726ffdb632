"""Claims on planning for future tokens (2404.00859): myopic training, its gap and its bonus."""

from . import convex, numbers

__all__ = ["convex", "numbers"]
