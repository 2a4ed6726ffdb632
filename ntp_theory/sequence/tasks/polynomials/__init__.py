"""The task of polynomial arithmetic: the ring, expressions in it, and whole batches of them."""

from .expression import Expression
from .task import PolynomialArithmetic

__all__ = ["Expression", "PolynomialArithmetic"]
