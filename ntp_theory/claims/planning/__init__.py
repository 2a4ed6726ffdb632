"""Claims on planning for future tokens (2404.00859): myopic training, its gap and its bonus."""

from . import attention, convex, numbers

__all__ = ["attention", "convex", "numbers"]
