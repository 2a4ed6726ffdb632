"""Decoding: from logits to tokens, each decoder with the contract that it keeps."""

from .acceptance import Typical
from .blockwise import self_speculative
from .certificate import MarginCertificate, margin_certificate
from .choices import Choices, Sampled, law, total_variation
from .decoded import Decoded
from .foresight import head_ranks, rank_accuracies
from .greedy import greedy
from .medusa import medusa
from .rates import (
    acceptance_rate,
    expected_tokens,
    independent_tokens,
    operations_factor,
    survival,
    walltime_factor,
)
from .reading import ExactModel
from .speculative import speculative_sample
from .trees import Tree
from .typical import typical_threshold, typical_tokens
from .verification import block, block_verification, residual, token_verification

__all__ = [
    "Choices",
    "Decoded",
    "ExactModel",
    "MarginCertificate",
    "Sampled",
    "Tree",
    "Typical",
    "acceptance_rate",
    "block",
    "block_verification",
    "expected_tokens",
    "greedy",
    "head_ranks",
    "independent_tokens",
    "law",
    "margin_certificate",
    "medusa",
    "operations_factor",
    "rank_accuracies",
    "residual",
    "self_speculative",
    "speculative_sample",
    "survival",
    "token_verification",
    "total_variation",
    "typical_threshold",
    "typical_tokens",
    "walltime_factor",
]
