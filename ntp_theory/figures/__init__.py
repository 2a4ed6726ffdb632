"""Figures: each function takes Matplotlib axes, or makes some, and returns them; pyplot is never touched."""

from .attention import norm_growth, priority_graph
from .drafts import survival_by_draft, tokens_by_heads
from .geometry import grams, modes, slopes
from .learned import conditions_along, frozen_direction, frozen_loss, gap_along
from .loss_gap import gap_by_position, gap_by_size, losses_by_position
from .memory import memory_by_heads
from .multi_token import choice_points, head_floors, law_beside_samples
from .noise import flip_rates
from .panels import alignment, distance, four_panels, loss, norm
from .path_star import accuracies, free_accuracies, path_star_answer, plateaus
from .plane import embeddings, toy_figure
from .pre_caching import cached_effects, held_out_losses, probe_r2
from .style import png, save
from .supports import supports
from .trees import tokens_by_nodes

__all__ = [
    "accuracies",
    "alignment",
    "cached_effects",
    "choice_points",
    "conditions_along",
    "distance",
    "embeddings",
    "flip_rates",
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
    "memory_by_heads",
    "modes",
    "norm",
    "norm_growth",
    "path_star_answer",
    "plateaus",
    "png",
    "priority_graph",
    "probe_r2",
    "save",
    "slopes",
    "supports",
    "survival_by_draft",
    "tokens_by_heads",
    "tokens_by_nodes",
    "toy_figure",
]
