"""Claims on planning for future tokens (2404.00859): myopic training, its gap and its bonus."""

from . import arithmetic, attention, convex, crossing, numbers, training

__all__ = ["arithmetic", "attention", "convex", "crossing", "numbers", "training"]
