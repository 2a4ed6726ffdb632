"""Claims on multi-token prediction, speculative sampling and Medusa (2404.19737, 2211.17192, 2401.10774)."""

from . import greedy, heads, memory, mutations, rates, speculative, typical

__all__ = ["greedy", "heads", "memory", "mutations", "rates", "speculative", "typical"]
