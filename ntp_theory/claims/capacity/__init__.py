"""Claims of 2405.13718 on how many contexts a number of parameters can fit."""

from . import ranks

__all__ = ["ranks"]
