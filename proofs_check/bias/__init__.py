"""Implicit bias of next-token prediction (arXiv 2402.18551), and what is derived from it."""
