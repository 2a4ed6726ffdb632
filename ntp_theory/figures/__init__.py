"""Figures: each function takes Matplotlib axes, or makes some, and returns them; pyplot is never touched."""

from .panels import alignment, distance, four_panels, loss, norm
from .plane import embeddings, toy_figure
from .style import png, save
from .supports import supports

__all__ = [
    "alignment",
    "distance",
    "embeddings",
    "four_panels",
    "loss",
    "norm",
    "png",
    "save",
    "supports",
    "toy_figure",
]
