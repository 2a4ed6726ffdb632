"""Claims on the geometry of trained models (2408.15417): the NTP-SVM where the embeddings are free, in nuclear norm."""

from . import max_margin

__all__ = ["max_margin"]
