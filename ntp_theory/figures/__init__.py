"""Figures: each function takes Matplotlib axes, or makes some, and returns them; pyplot is never touched."""

from .attention import norm_growth, priority_graph
from .loss_gap import gap_by_position, gap_by_size, losses_by_position
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
    "gap_by_position",
    "gap_by_size",
    "held_out_losses",
    "loss",
    "losses_by_position",
    "norm",
    "norm_growth",
    "path_star_answer",
    "plateaus",
    "png",
    "priority_graph",
    "probe_r2",
    "save",
    "supports",
    "toy_figure",
]
