"""Figures: each function takes Matplotlib axes, or makes some, and returns them; pyplot is never touched."""

from .panels import alignment, distance, four_panels, loss, norm
from .path_star import accuracies, free_accuracies, path_star_answer, plateaus
from .plane import embeddings, toy_figure
from .pre_caching import cached_effects, held_out_losses, probe_r2
from .style import png, save
from .supports import supports

__all__ = [
    "accuracies",
    "alignment",
    "cached_effects",
    "distance",
    "embeddings",
    "four_panels",
    "free_accuracies",
    "held_out_losses",
    "loss",
    "norm",
    "path_star_answer",
    "plateaus",
    "png",
    "probe_r2",
    "save",
    "supports",
    "toy_figure",
]
