"""What one can read off data and decoders: tolerance of noise, meaning of the parts, what is ruled out, capacity."""

from .capacity import JacobianRank, jacobian_rank
from .exclusions import Excluded, Exclusions, exclusions
from .flips import FlipRate, cap_share, flip_bounds, flip_rate
from .log_odds import LogOdds, log_odds
from .overview import Overview, overview
from .token_groups import TokenGroups, token_groups
from .tolerance import Noise, NoiseTolerance, noise_tolerance, radius_ceiling

__all__ = [
    "Excluded",
    "Exclusions",
    "FlipRate",
    "JacobianRank",
    "LogOdds",
    "Noise",
    "NoiseTolerance",
    "Overview",
    "TokenGroups",
    "cap_share",
    "exclusions",
    "flip_bounds",
    "flip_rate",
    "jacobian_rank",
    "log_odds",
    "noise_tolerance",
    "overview",
    "radius_ceiling",
    "token_groups",
]
