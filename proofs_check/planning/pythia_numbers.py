"""Printed: the myopia gap of fine-tuned Pythia models increases with scale. The printed table is not monotone.

Cross-entropies after one epoch on 10M Pile sequences of 64 tokens, 14M to 2.8B parameters: plain 4.11 3.73 3.44 3.03
2.74 2.62 2.54 2.44, myopic 4.27 3.84 3.48 3.13 2.89 2.78 2.71 2.67; the differences are .16 .11 .04 .10 .15 .16 .17
.23. Repaired: they increase strictly from 70M on, and the largest model has the largest gap.
"""

from __future__ import annotations

from itertools import pairwise

from ..statement import Statement

statement = Statement(
    "planning/pythia-numbers", source="FutureGPT2-public notebook", verdict="refuted as written", repair="proved"
)

SIZES = ["14M", "31M", "70M", "160M", "410M", "1B", "1.4B", "2.8B"]
PLAIN = [411, 373, 344, 303, 274, 262, 254, 244]  # hundredths of a nat
MYOPIC = [427, 384, 348, 313, 289, 278, 271, 267]
GAP = [16, 11, 4, 10, 15, 16, 17, 23]
gaps = [myopic - plain for myopic, plain in zip(MYOPIC, PLAIN, strict=True)]


@statement.refutes("the gap falls twice, from 14M to 31M and from 31M to 70M")
def falls() -> bool:
    steps = list(zip(SIZES[1:], pairwise(gaps), strict=True))
    return [size for size, (small, large) in steps if large < small] == ["31M", "70M"]


@statement.proves("the printed differences are those of the rows")
def differences() -> bool:
    return gaps == GAP


@statement.proves("from 70M on they increase strictly, up to the largest gap")
def increases() -> bool:
    tail = gaps[SIZES.index("70M") :]
    return all(small < large for small, large in pairwise(tail)) and tail[-1] == max(gaps)
