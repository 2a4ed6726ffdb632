"""Claims of 2502.04664, on steepest descent in any norm."""

from . import descent_lemmas, learned, norms, rates, setting

__all__ = ["descent_lemmas", "learned", "norms", "rates", "setting"]
