"""Do language models plan for future tokens? (arXiv 2404.00859)."""
