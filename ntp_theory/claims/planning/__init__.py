"""Claims on planning for future tokens (2404.00859): myopic training, its gap and its bonus."""

from . import arithmetic, convex, numbers

__all__ = ["arithmetic", "convex", "numbers"]
