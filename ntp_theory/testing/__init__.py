"""Hypothesis strategies for every object of the theory: for tests of this library, and of theorems of your own."""

from ..sequence.models.table import Table, TableModel
from .cases import CASES, datasets_of_case, log_probabilities, separating_directions
from .laws import joint_laws, stochastic_matrices
from .sequences import token_selections, token_sequences
from .strategies import KINDS, datasets, decoders, probability_rows
from .table_models import table_pairs, tables

__all__ = [
    "CASES",
    "KINDS",
    "Table",
    "TableModel",
    "datasets",
    "datasets_of_case",
    "decoders",
    "joint_laws",
    "log_probabilities",
    "probability_rows",
    "separating_directions",
    "stochastic_matrices",
    "table_pairs",
    "tables",
    "token_selections",
    "token_sequences",
]
