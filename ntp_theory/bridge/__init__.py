"""Where trained models meet the theory: what their last layer reads, as a dataset, and what their weights can fit."""

from .features import features_dataset, head_weights
from .jacobian import model_jacobian_rank
from .last_layer import LastLayer, accuracy, last_layer

__all__ = ["LastLayer", "accuracy", "features_dataset", "head_weights", "last_layer", "model_jacobian_rank"]
