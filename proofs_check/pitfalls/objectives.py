"""Every training regime is a triple (input corruption, order of the target, positions with a loss).

teacher forcing (none, as it is, target); reversed (none, backwards, target); teacherless (all "$", as it is, target);
masked (each "$" by chance, as it is, target); first token only (none, as it is, r_1). A line is the prefix and the
target in its order; inputs are the line without its last token, with corrupted target inputs; the label of a place is
the next token of the line, or -1 without a loss.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

from ..kit.path_star import SIZES, stars, text, tokens
from ..statement import Statement

statement = Statement(
    "pitfalls/objectives", source="derived", verdict="certified on a domain", needs=["pitfalls/tokenisation"]
)

Batch = tuple[list[int], list[int]]


def compose(
    prefix: list[int],
    target: list[int],
    corrupt: Callable[[int, int], int],
    order: Callable[[list[int]], list[int]],
    has_loss: Callable[[int], bool],
) -> Batch:
    """Inputs and labels of a triple; places of the target count from 0."""
    ordered = order(target)
    line = prefix + ordered
    inputs = prefix + [corrupt(k, token) for k, token in enumerate(ordered[:-1])]
    labels = [-1] * (len(prefix) - 1) + [t if has_loss(k) else -1 for k, t in enumerate(line[len(prefix) :])]
    return inputs, labels


def keep(_: int, token: int) -> int:
    """No corruption."""
    return token


def overwrite(dummy: int, mask: Sequence[bool]) -> Callable[[int, int], int]:
    """Masked places become the dummy token."""
    return lambda place, token: dummy if mask[place] else token


def same_order(target: list[int]) -> list[int]:
    """As it is."""
    return target


def everywhere(_: int) -> bool:
    """A loss on every target token."""
    return True


# The regimes as they are described, without triples.


def teacher_forcing(prefix: list[int], target: list[int]) -> Batch:
    """Inputs prefix + target[:-1]; labels are the target."""
    return prefix + target[:-1], [-1] * (len(prefix) - 1) + target


def masked(prefix: list[int], target: list[int], dummy: int, mask: Sequence[bool]) -> Batch:
    """Teacher forcing with the masked target inputs overwritten."""
    inputs, labels = teacher_forcing(prefix, target)
    for k, hidden in enumerate(mask):
        if hidden:
            inputs[len(prefix) + k] = dummy
    return inputs, labels


def first_only(prefix: list[int], target: list[int]) -> Batch:
    """Teacher forcing whose only label is that of r_1, the second target token."""
    inputs, labels = teacher_forcing(prefix, target)
    at = len(prefix)
    return inputs, [label if place == at else -1 for place, label in enumerate(labels)]


@statement.certifies(
    "each regime equals its triple, inputs and labels, for every mask",
    domain="all graphs with d <= 4 arms of l <= 5 nodes, N = |V|",
)
def triples() -> bool:
    right = []
    for d, length in SIZES:
        ids = d * (length - 1) + 1
        for star in stars(d, length):
            line, dummy = tokens(text(star), ids), ids + 3
            prefix, target = line[:-length], line[-length:]
            right.append(teacher_forcing(prefix, target) == compose(prefix, target, keep, same_order, everywhere))
            backwards = compose(prefix, target, keep, lambda path: path[::-1], everywhere)
            right.append(teacher_forcing(prefix, [*reversed(target)]) == backwards)
            blind = compose(prefix, target, overwrite(dummy, [True] * (length - 1)), same_order, everywhere)
            right.append(blind == (prefix + [dummy] * (length - 1), [-1] * (len(prefix) - 1) + target))
            for mask in product((False, True), repeat=length - 1):
                hidden = compose(prefix, target, overwrite(dummy, mask), same_order, everywhere)
                right.append(masked(prefix, target, dummy, mask) == hidden)
            alone = compose(prefix, target, keep, same_order, lambda k: k == 1)
            right.append(first_only(prefix, target) == alone and [x for x in alone[1] if x >= 0] == [star.target[1]])
    return all(right)


@statement.certifies(
    "the five regimes give five different batches (masked: with the first place alone masked)",
    domain="all graphs with d <= 4 arms of 3 <= l <= 5 nodes, N = |V|",
)
def different() -> bool:
    right = []
    for d, length in SIZES:
        if length < 3:
            continue
        ids = d * (length - 1) + 1
        for star in stars(d, length):
            line, dummy = tokens(text(star), ids), ids + 3
            prefix, target = line[:-length], line[-length:]
            forced, some = (
                teacher_forcing(prefix, target),
                masked(prefix, target, dummy, [True] + [False] * (length - 2)),
            )
            found = [
                forced,
                teacher_forcing(prefix, target[::-1]),
                masked(prefix, target, dummy, [True] * (length - 1)),
                some,
            ]
            found.append(first_only(prefix, target))
            right.append(len({(tuple(a), tuple(b)) for a, b in found}) == 5)
    return all(right)
