"""Claims on planning for future tokens (2404.00859): myopic training, its gap and its bonus."""

from . import training

__all__ = ["training"]
