"""Decoding: from logits to tokens, each decoder with the contract that it keeps."""

from .blockwise import self_speculative
from .certificate import MarginCertificate, margin_certificate
from .choices import Choices, Sampled, law, total_variation
from .decoded import Decoded
from .greedy import greedy
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
from .typical import typical_threshold, typical_tokens
from .verification import block, block_verification, residual, token_verification

__all__ = [
    "Choices",
    "Decoded",
    "ExactModel",
    "MarginCertificate",
    "Sampled",
    "acceptance_rate",
    "block",
    "block_verification",
    "expected_tokens",
    "greedy",
    "independent_tokens",
    "law",
    "margin_certificate",
    "operations_factor",
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
