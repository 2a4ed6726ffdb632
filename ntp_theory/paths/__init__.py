"""Regularisation paths: minimisers of the cross-entropy with a ridge or in a ball of any norm."""

from .path import Path
from .regularization import regularization_path

__all__ = ["Path", "regularization_path"]
