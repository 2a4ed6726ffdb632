"""Models: they map tokens to logits."""

from .embedding import LanguageModel
from .fitting import model_for
from .hugging_face import HuggingFace
from .mamba import Mamba, MambaConfig
from .myopic import Cut
from .table import Table, TableModel
from .transformer import Transformer, TransformerConfig

__all__ = [
    "Cut",
    "HuggingFace",
    "LanguageModel",
    "Mamba",
    "MambaConfig",
    "Table",
    "TableModel",
    "Transformer",
    "TransformerConfig",
    "model_for",
]
