"""Models: they map tokens to logits."""

from .embedding import LanguageModel
from .fitting import model_for
from .hugging_face import HuggingFace
from .mamba import Mamba, MambaConfig
from .transformer import Transformer, TransformerConfig

__all__ = ["HuggingFace", "LanguageModel", "Mamba", "MambaConfig", "Transformer", "TransformerConfig", "model_for"]
