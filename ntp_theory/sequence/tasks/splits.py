"""Which instances are kept for tests: a hash of the instance decides, so both splits are disjoint whatever is drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["HELD_OUT", "hashed", "held_out"]

HELD_OUT = 10
"""One instance in so many is held out."""

Keys = NDArray[np.uint64]


def hashed(rows: NDArray[Any]) -> Keys:
    """A number of 64 bits for every row (b, k) of whole numbers of at least 0; equal rows have equal ones.

    Examples
    --------
    >>> keys = hashed(np.array([[1, 2], [2, 1], [1, 2]]))
    >>> bool(keys[0] == keys[2]), bool(keys[0] == keys[1])
    (True, False)
    """
    keys = np.zeros(len(rows), dtype=np.uint64)
    for column in rows.T:
        keys = _mixed(keys + column.astype(np.uint64) + np.uint64(1))
    return keys


def held_out(keys: Keys) -> NDArray[np.bool_]:
    """Which keys belong to the tests: bool (b,), a tenth of them."""
    chosen: NDArray[np.bool_] = keys % np.uint64(HELD_OUT) == 0
    return chosen


def _mixed(keys: Keys) -> Keys:
    """The finaliser of splitmix64: a bijection of 64 bits that spreads them."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
