"""Medusa (arXiv 2401.10774)."""
