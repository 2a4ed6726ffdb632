"""Runs, flows and paths held against the prediction, law by law."""

from .comparison import Comparison
from .door import compare

__all__ = ["Comparison", "compare"]
