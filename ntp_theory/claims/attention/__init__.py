"""Claims on attention: priorities of tokens, selection by margins, and training in steps of all kinds."""

from . import priorities, selection, stages

__all__ = ["priorities", "selection", "stages"]
