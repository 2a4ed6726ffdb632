"""Sequence models: tasks, models, training, decoding and measures."""

from . import decoding, measures, models, tasks, training

__all__ = ["decoding", "measures", "models", "tasks", "training"]
