"""The gradient methods, one a file, and their names."""
