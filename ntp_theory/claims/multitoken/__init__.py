"""Claims on multi-token prediction, speculative sampling and Medusa (2404.19737, 2211.17192, 2401.10774)."""

from . import greedy, heads, information, mutations, numbers, rates, speculative, tasks, typical

__all__ = ["greedy", "heads", "information", "mutations", "numbers", "rates", "speculative", "tasks", "typical"]
