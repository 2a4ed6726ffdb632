"""Claims of the classical papers on margins and rates, which the theory meets on one-hot data."""

from . import rates, separation

__all__ = ["rates", "separation"]
