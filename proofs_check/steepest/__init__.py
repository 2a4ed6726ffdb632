"""Steepest descent on separable data (arXiv 2502.04664)."""
