"""Heads that predict several tokens at once, on any trunk."""

from .base import ModelWithHeads
from .layers import LayerHeads
from .linear import LinearHeads, ReplicatedHeads
from .matched import parameter_matched
from .medusa import MedusaHeads, MedusaModel

__all__ = [
    "LayerHeads",
    "LinearHeads",
    "MedusaHeads",
    "MedusaModel",
    "ModelWithHeads",
    "ReplicatedHeads",
    "parameter_matched",
]
