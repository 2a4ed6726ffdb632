"""Claims on planning for future tokens (2404.00859): myopic training."""

from . import attention

__all__ = ["attention"]
