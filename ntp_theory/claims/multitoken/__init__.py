"""Claims on multi-token prediction, speculative sampling and Medusa (2404.19737, 2211.17192, 2401.10774)."""

from . import greedy, medusa_defects, medusa_numbers, mutations, rates, speculative, trees, typical

__all__ = ["greedy", "medusa_defects", "medusa_numbers", "mutations", "rates", "speculative", "trees", "typical"]
