"""Ways to make an `NTPDataset`: at random, designed with known answers, from a text, from a trained model."""

from ..text import TOKENIZERS, tokenize
from .corpus import documentation_text
from .counting import ContextCounts, count_contexts
from .designed import DESIGNED, DesignedCase, designed
from .embedding import embedding_map
from .gaussian import random
from .instances import a2, lemma5, one_hot_control, sep_incompat, tiny, toy
from .model import from_model
from .text import from_text

__all__ = [
    "DESIGNED",
    "TOKENIZERS",
    "ContextCounts",
    "DesignedCase",
    "a2",
    "count_contexts",
    "designed",
    "documentation_text",
    "embedding_map",
    "from_model",
    "from_text",
    "lemma5",
    "one_hot_control",
    "random",
    "sep_incompat",
    "tiny",
    "tokenize",
    "toy",
]
