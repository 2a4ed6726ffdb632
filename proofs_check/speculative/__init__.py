"""Speculative sampling (arXiv 2211.17192)."""
