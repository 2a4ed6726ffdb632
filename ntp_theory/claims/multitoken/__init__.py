"""Claims on multi-token prediction, speculative sampling and Medusa (2404.19737, 2211.17192, 2401.10774)."""

from . import (
    greedy,
    heads,
    information,
    medusa_defects,
    medusa_numbers,
    memory,
    mutations,
    numbers,
    rates,
    speculative,
    tasks,
    theory,
    trained,
    trees,
    typical,
)

__all__ = [
    "greedy",
    "heads",
    "information",
    "medusa_defects",
    "medusa_numbers",
    "memory",
    "mutations",
    "numbers",
    "rates",
    "speculative",
    "tasks",
    "theory",
    "trained",
    "trees",
    "typical",
]
