"""Capacity (arXiv 2405.13718)."""
