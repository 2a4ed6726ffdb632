"""Claims of 2502.04664, on steepest descent in any norm."""

from . import norms

__all__ = ["norms"]
