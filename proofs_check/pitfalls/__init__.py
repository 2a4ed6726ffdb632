"""Pitfalls of next-token prediction: path-star graphs (arXiv 2403.06963)."""
