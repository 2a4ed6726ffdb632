"""Texts: where they come from, and how they are cut into tokens; for both wings."""

from .source import Text, describe, read
from .tokenize import TOKENIZERS, learn_byte_pairs, pieces, tokenize

__all__ = ["TOKENIZERS", "Text", "describe", "learn_byte_pairs", "pieces", "read", "tokenize"]
