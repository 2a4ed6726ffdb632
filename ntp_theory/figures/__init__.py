"""Figures: each function takes Matplotlib axes, or makes some, and returns them; pyplot is never touched."""

from .geometry import grams, modes, slopes
from .learned import conditions_along, frozen_direction, frozen_loss, gap_along
from .loss_gap import gap_by_position, gap_by_size, losses_by_position
from .multi_token import choice_points, head_floors, law_beside_samples
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
    "choice_points",
    "conditions_along",
    "distance",
    "embeddings",
    "four_panels",
    "free_accuracies",
    "frozen_direction",
    "frozen_loss",
    "gap_along",
    "gap_by_position",
    "gap_by_size",
    "grams",
    "head_floors",
    "held_out_losses",
    "law_beside_samples",
    "loss",
    "losses_by_position",
    "modes",
    "norm",
    "path_star_answer",
    "plateaus",
    "png",
    "probe_r2",
    "save",
    "slopes",
    "supports",
    "toy_figure",
]
