"""Gradients whose every entry is right at any size, and what methods make of them: directions, polar factors."""
