"""Models whose gradients to other positions are cut, while their values stay as they are."""

from .cut import Cut

__all__ = ["Cut"]
