"""Myopic training where everything can be computed: positions that read each other, with convex losses."""

from .compare import compare
from .constants import Constants
from .descent import MyopicRun, myopic_descent
from .instances import border, breadcrumbs, diverging, pre_caching, transient
from .logistic import logistic
from .losses import PositionLosses
from .prediction import Prediction, predict
from .regression import PositionRegression

__all__ = [
    "Constants",
    "MyopicRun",
    "PositionLosses",
    "PositionRegression",
    "Prediction",
    "border",
    "breadcrumbs",
    "compare",
    "diverging",
    "logistic",
    "myopic_descent",
    "pre_caching",
    "predict",
    "transient",
]
