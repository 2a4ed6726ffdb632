"""Measures: what a trained model does, each a function of a model and a task."""

from .accuracy import Evaluation, confidence_interval, evaluate

__all__ = ["Evaluation", "confidence_interval", "evaluate"]
