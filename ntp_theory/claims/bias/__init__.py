"""Claims of "Implicit Optimization Bias of Next-Token Prediction in Linear Models" (2402.18551) and of what is derived from it."""

from . import conditions, dynamics, errata, experiments, paths, setting, svm

__all__ = ["conditions", "dynamics", "errata", "experiments", "paths", "setting", "svm"]
