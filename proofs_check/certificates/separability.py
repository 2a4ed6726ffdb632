"""Whether some decoder keeps every support level and puts the rest strictly below, and for which pairs."""

from __future__ import annotations

from fractions import Fraction

from .data import Data, Matrix, read_decoder, read_supports
from .document import Node
from .errors import RefutedError
from .linear import Finding, check_sums, check_vanishes, margins, off_support, read_multipliers
from .wording import approximate, exact, figure, listed, spelled

__all__ = ["extended_support", "not_separable", "separable"]


def separable(data: Data, proof: Node) -> Finding:
    """A direction that is level on every support and strictly smaller off it."""
    node = proof.fields(("direction",))["direction"]
    smallest = _strict_margin(read_decoder(node, data), data, data.supports, node.place)
    if smallest is None:
        return Finding(
            ["Every support is the whole vocabulary: there is nothing to separate."], {"off_support_pairs": 0}
        )
    margin, pair = smallest
    words = [
        "One direction gives equal logits to every support, and a smaller one to every token off it.",
        f"Its smallest margin is {spelled(margin)}: {data.pair(*pair)}.",
    ]
    return Finding(words, {"off_support_pairs": data.num_off_support, "smallest_margin": figure(margin)})


def not_separable(data: Data, proof: Node) -> Finding:
    """Multipliers, negative off the supports, whose combination of constraints vanishes."""
    node = proof.fields(("multipliers",))["multipliers"]
    multipliers = read_multipliers(node, data)
    blocked = off_support(multipliers, data)
    if not blocked:
        raise RefutedError(f"{node.place}: must have an entry off the supports")
    check_sums(multipliers, data)
    check_vanishes(multipliers, data)
    total = -sum(multipliers.entries[pair] for pair in blocked)
    weights = {pair: Fraction(-multipliers.entries[pair], total) for pair in blocked}
    heaviest = sorted(weights, key=lambda pair: (-weights[pair], pair))
    words = [
        f"A combination of {len(multipliers.entries)} constraints over {multipliers.num_contexts} contexts vanishes: "
        f"for every decoder with equal logits on each support, the margins of {len(blocked)} off-support pairs, with "
        "positive weights, sum to 0. So they are not all positive:",
        *listed((f"{data.pair(*pair)}, weight {_weight(weights[pair])}" for pair in heaviest), len(heaviest)),
    ]
    figures = {
        "entries": len(multipliers.entries),
        "contexts": multipliers.num_contexts,
        "blocked": [_named(data, pair) | {"weight": figure(weights[pair])} for pair in heaviest],
    }
    return Finding(words, figures)


def extended_support(data: Data, proof: Node) -> Finding:
    """A direction that drives away exactly the tokens off the extended supports; multipliers that block the others.

    A later list of multipliers may build on the pairs that the earlier ones blocked: in a recession direction of the
    loss all of those are level with the support.
    """
    fields = proof.fields(("extended", "direction", "blocked"))
    extended = _read_extended(fields["extended"], data)
    escaping = sum(data.vocab_size - len(row) for row in extended)
    if not fields["direction"].is_null:
        _strict_margin(read_decoder(fields["direction"], data), data, extended, fields["direction"].place)
    elif escaping:
        raise RefutedError(f"{fields['direction'].place}: may be null only if every extended support is full")
    blocked: dict[tuple[int, int], None] = {}
    inside = [set(row) for row in extended]
    for node in fields["blocked"].entries():
        multipliers = read_multipliers(node, data)
        for j, v in multipliers.entries:
            if v not in inside[j]:
                raise RefutedError(f"{node.place}: entries must be in the extended supports; {data.pair(j, v)} is not")
        new = off_support(multipliers, data, blocked)
        check_sums(multipliers, data)
        check_vanishes(multipliers, data)
        blocked |= dict.fromkeys(new)
    for j, (support, row) in enumerate(zip(data.supports, extended, strict=True)):
        for v in sorted(set(row) - set(support)):
            if (j, v) not in blocked:
                raise RefutedError(f"{fields['blocked'].place}: no list of multipliers blocks {data.pair(j, v)}")
    words = [f"Of {data.num_off_support} off-support pairs, {escaping} escape and {len(blocked)} are blocked."]
    if escaping:
        words.append("One direction puts all that escape, and no others, strictly below the supports.")
    if blocked:
        words += [
            "No decoder that keeps every support level, and nothing above it, puts any of these strictly below:",
            *listed((data.pair(*pair) for pair in blocked), len(blocked)),
        ]
    figures = {"escaping": escaping, "blocked": [_named(data, pair) for pair in blocked]}
    return Finding(words, figures)


def _strict_margin(
    direction: Matrix, data: Data, supports: list[list[int]], place: str
) -> tuple[Fraction, tuple[int, int]] | None:
    """The smallest margin and its pair; every margin off the given supports must be positive."""
    smallest = None
    for j, row in margins(direction, data, supports, place):
        inside = set(supports[j])
        for v, margin in enumerate(row):
            if v not in inside and (smallest is None or margin < smallest[0]):
                smallest = margin, (j, v)
    if smallest is None:
        return None
    value, pair = Fraction(smallest[0], direction.scale * data.embeddings.scale), smallest[1]
    if value <= 0:
        raise RefutedError(
            f"{place}: margins off the support must be positive; that of {data.pair(*pair)} is {exact(value)}"
        )
    return value, pair


def _read_extended(node: Node, data: Data) -> list[list[int]]:
    extended = read_supports(node, data.num_contexts, data.vocab_size)
    for j, (row, support) in enumerate(zip(extended, data.supports, strict=True)):
        missing = sorted(set(support) - set(row))
        if missing:
            raise RefutedError(f"{node.place}[{j}]: must contain the support; {data.pair(j, missing[0])} is not in it")
    return extended


def _weight(weight: Fraction) -> str:
    return str(weight) if weight.denominator < 1000 else approximate(weight, digits=4)


def _named(data: Data, pair: tuple[int, int]) -> dict[str, object]:
    return {"context": data.context(pair[0]), "token": data.token(pair[1]), "indices": list(pair)}
