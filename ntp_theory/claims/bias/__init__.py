"""Claims of 2402.18551, "Implicit Optimization Bias of Next-Token Prediction in Linear Models", and of what follows."""

from . import (
    any_data,
    conditions,
    dynamics,
    errata,
    experiments,
    flows,
    laws,
    paths,
    plateaus,
    regularization,
    setting,
    svm,
    thresholds,
)

__all__ = [
    "any_data",
    "conditions",
    "dynamics",
    "errata",
    "experiments",
    "flows",
    "laws",
    "paths",
    "plateaus",
    "regularization",
    "setting",
    "svm",
    "thresholds",
]
