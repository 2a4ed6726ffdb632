"""Geometry of trained models (arXiv 2408.15417, 2505.08348)."""
