"""Claims on the geometry of trained models (2408.15417): free embeddings, and the nuclear norm."""

from . import max_margin, modes, unconstrained

__all__ = ["max_margin", "modes", "unconstrained"]
