"""Models: they map tokens to logits."""

from .embedding import LanguageModel
from .fitting import model_for
from .heads import (
    LayerHeads,
    LinearHeads,
    MedusaHeads,
    MedusaModel,
    ModelWithHeads,
    ReplicatedHeads,
    parameter_matched,
)
from .hugging_face import HuggingFace
from .mamba import Mamba, MambaConfig
from .myopic import Cut
from .table import Table, TableModel
from .transformer import Transformer, TransformerConfig

__all__ = [
    "Cut",
    "HuggingFace",
    "LanguageModel",
    "LayerHeads",
    "LinearHeads",
    "Mamba",
    "MambaConfig",
    "MedusaHeads",
    "MedusaModel",
    "ModelWithHeads",
    "ReplicatedHeads",
    "Table",
    "TableModel",
    "Transformer",
    "TransformerConfig",
    "model_for",
    "parameter_matched",
]
