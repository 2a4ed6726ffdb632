"""Training against a plain loop, and batches of graphs against graphs one at a time."""
