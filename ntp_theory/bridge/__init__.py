"""Where trained models meet the theory: what their last layer reads, as a dataset, and what their weights can fit."""

from .along_training import AlongTraining, along_training
from .features import exact_features, features_dataset, head_weights
from .frozen import FrozenTraining, train_frozen
from .jacobian import model_jacobian_rank
from .last_layer import LastLayer, accuracy, last_layer
from .text import text_features

__all__ = [
    "AlongTraining",
    "FrozenTraining",
    "LastLayer",
    "accuracy",
    "along_training",
    "exact_features",
    "features_dataset",
    "head_weights",
    "last_layer",
    "model_jacobian_rank",
    "text_features",
    "train_frozen",
]
