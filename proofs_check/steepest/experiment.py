"""Reported experiment of the source: each method has the largest margin in its own norm on Gaussian clusters.

Ten classes with Gaussian centres in d = 25 dimensions, sigma = 0.1, 50 points a class, steps eta_0 t^{-1/2} with
eta_0 = 0.1 for sign descent and normalised gradient descent, 0.05 for spectral descent and Muon; the best margins in
each norm from a convex solver. There is nothing to prove: the numbers are of one random data set.
"""

from __future__ import annotations

from ..statement import Statement

statement = Statement("steepest/experiment", source="2502.04664 Sec. 5", verdict="documentation")
