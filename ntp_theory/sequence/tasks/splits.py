"""Which instances are kept for tests: a hash of the instance decides, so both splits are disjoint whatever is drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["HELD_OUT", "drawn_in_split", "hashed", "held_out"]

HELD_OUT = 10
"""One instance in so many is held out."""

Keys = NDArray[np.uint64]
Chosen = slice | NDArray[np.int64]
Drawn = TypeVar("Drawn")


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


def drawn_in_split(
    n: int,
    split: str | None,
    draw: Callable[[int], Drawn],
    is_held_out: Callable[[Drawn], NDArray[np.bool_]],
    most: int | None = None,
) -> Iterator[tuple[Drawn, Chosen]]:
    """Rounds of drawing until there are n of a split: what is drawn, ``most`` at once, and which of it counts.

    Examples
    --------
    >>> random = np.random.default_rng(0)
    >>> rounds = drawn_in_split(5, "test", lambda n: random.integers(100, size=(n, 1)), lambda x: held_out(hashed(x)))
    >>> kept = np.concatenate([drawn[chosen] for drawn, chosen in rounds])
    >>> len(kept), bool(held_out(hashed(kept)).all())
    (5, True)
    """
    share = 1 / HELD_OUT if split == "test" else 1 - 1 / HELD_OUT
    while n > 0:
        # a few more than the share of the split asks for, so that one round is mostly enough
        count = n if split is None else int(n / share * 1.1) + 32
        count = count if most is None else min(count, most)
        drawn = draw(count)
        if split is None:
            yield drawn, slice(count)
            n -= count
        else:
            chosen = np.flatnonzero(is_held_out(drawn) == (split == "test"))[:n]
            yield drawn, chosen
            n -= len(chosen)


def _mixed(keys: Keys) -> Keys:
    """The finaliser of splitmix64: a bijection of 64 bits that spreads them."""
    keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return keys ^ (keys >> np.uint64(31))
