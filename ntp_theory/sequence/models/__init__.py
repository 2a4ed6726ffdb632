"""Models: they map tokens to logits."""

from .embedding import LanguageModel
from .mamba import Mamba, MambaConfig
from .transformer import Transformer, TransformerConfig

__all__ = ["LanguageModel", "Mamba", "MambaConfig", "Transformer", "TransformerConfig"]
