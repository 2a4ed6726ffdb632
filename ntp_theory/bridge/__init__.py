"""Where trained models meet the theory: what their last layer reads, as a dataset."""

from .features import features_dataset, head_weights
from .last_layer import LastLayer, accuracy, last_layer

__all__ = ["LastLayer", "accuracy", "features_dataset", "head_weights", "last_layer"]
