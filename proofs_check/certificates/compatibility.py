"""Whether some decoder reproduces all log-odds of the supports: products of powers decide, no logarithm is computed."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from operator import mul

from .arithmetic import PRIME_LIMIT, dependent_row, is_prime, product_of_powers
from .data import Data, Matrix, read_decoder
from .document import Node
from .errors import RefutedError
from .linear import Finding, check_sums, check_vanishes, read_multipliers
from .wording import exact, listed, log_of_product, shortened

__all__ = ["compatible", "not_compatible"]


def not_compatible(data: Data, proof: Node) -> Finding:
    """Integer coefficients of a relation that holds for the logits of every decoder, and fails for the data."""
    node = proof.fields(("coefficients",))["coefficients"]
    relation = read_multipliers(node, data, integers=True)
    inside = {j: {z: i for i, z in enumerate(data.supports[j])} for j, _ in relation.entries}
    for j, z in relation.entries:
        if z not in inside[j]:
            raise RefutedError(f"{node.place}: entries must be on the supports; {data.pair(j, z)} is not")
    check_sums(relation, data)
    check_vanishes(relation, data)
    powers = product_of_powers((data.masses[j][inside[j][z]], y) for (j, z), y in relation.entries.items())
    if not powers:
        raise RefutedError(
            f"{node.place}: the product of the masses, to the power of their coefficients, must not be 1"
        )
    log = log_of_product(powers)
    heaviest = sorted(relation.entries, key=lambda pair: (-abs(relation.entries[pair]), pair))
    words = [
        f"A combination of {len(relation.entries)} log-conditionals over {relation.num_contexts} contexts is 0 for the "
        f"logits of every decoder, but {log} nats for the data: the logarithm of {_product(powers)}.",
        *listed(
            (f"{exact(relation.entries[j, z])} log p of {data.pair(j, z)}" for j, z in heaviest), len(relation.entries)
        ),
    ]
    figures: dict[str, object] = {
        "entries": len(relation.entries),
        "contexts": relation.num_contexts,
        "log_of_product": log,
        "product": _product(powers),
    }
    return Finding(words, figures)


def compatible(data: Data, proof: Node) -> Finding:
    """A solution of all log-odds equations, or the independence of their left-hand sides."""
    return _independent(data, proof) if proof.has("independent_mod") else _solved(data, proof)


def _independent(data: Data, proof: Node) -> Finding:
    """Equations whose left-hand sides are independent have a solution whatever the right-hand sides are."""
    node = proof.fields(("independent_mod",))["independent_mod"]
    prime = node.integer()
    if not 1 < prime < PRIME_LIMIT:
        node.fail(f"a prime below {PRIME_LIMIT}")
    if not is_prime(prime):
        raise RefutedError(f"{node.place}: must be a prime; {prime} is not")
    equations = list(_log_odds(data))
    rows = (
        {(z, i): x for i, x in enumerate(data.embeddings.rows[j])}
        | {(a, i): -x for i, x in enumerate(data.embeddings.rows[j])}
        for j, z, a, _ in equations
    )
    dependent = dependent_row(rows, prime)
    if dependent is not None:
        j, z, a, _ = equations[dependent]
        raise RefutedError(
            f"{node.place}: the matrices (e_z - e_a) h_j^T must be independent modulo {prime}; that of "
            f"{data.pair(j, z)}, with a = {data.token(a)}, depends on those before it"
        )
    words = (
        f"The left-hand sides of all log-odds equations ({len(equations)}) are linearly independent modulo {prime}, so "
        "over the rationals: a decoder solves them, for these masses and any others."
        if equations
        else "Every support has one token, so there are no log-odds to reproduce."
    )
    return Finding([words], {"equations": len(equations), "prime": prime})


def _solved(data: Data, proof: Node) -> Finding:
    """Log-odds that are integer combinations of a few logarithms, and a decoder for each of these."""
    fields = proof.fields(("base", "exponents", "solutions"))
    base = [_above_one(node) for node in fields["base"].entries()]
    exponents = [
        [[e.integer() for e in entry.entries(len(base), "integers")] for entry in row.entries(len(support), "entries")]
        for row, support in zip(fields["exponents"].entries(data.num_contexts, "rows"), data.supports, strict=True)
    ]
    solutions = [read_decoder(node, data) for node in fields["solutions"].entries(len(base), "decoders")]

    equations = 0
    for j, z, a, i in _log_odds(data):
        equations += 1
        powers = [x - y for x, y in zip(exponents[j][i], exponents[j][0], strict=True)]
        ratio = data.masses[j][i] / data.masses[j][0]
        if product_of_powers([(ratio, 1), *((b, -e) for b, e in zip(base, powers, strict=True) if e)]):
            raise RefutedError(
                f"{fields['exponents'].place}[{j}][{i}]: the powers of the base must give the ratio of the masses of "
                f"tokens {data.token(z)} and {data.token(a)} after context {data.context(j)}, {exact(ratio)}"
            )
        for k, (solution, power) in enumerate(zip(solutions, powers, strict=True)):
            _check_difference(data, solution, (j, z, a), power, f"{fields['solutions'].place}[{k}]")
    listing = shortened(", ".join(exact(b) for b in base))
    words = [
        f"A decoder solves all log-odds equations ({equations}): the sum of log(b) X_b, with exact matrices X_b, over "
        + (f"{len(base)} integers b: {listing}." if base else "no b at all: it is 0, and all log-odds are."),
    ]
    return Finding(words, {"equations": equations, "base": len(base)})


def _above_one(node: Node) -> int:
    b = node.integer()
    if b <= 1:
        node.fail("an integer above 1")
    return b


def _check_difference(data: Data, solution: Matrix, where: tuple[int, int, int], power: int, place: str) -> None:
    """``(x_z - x_a)^T h_j`` must be the difference of the exponents."""
    j, z, a = where
    h = data.embeddings.rows[j]
    difference = sum(map(mul, solution.rows[z], h)) - sum(map(mul, solution.rows[a], h))
    scale = solution.scale * data.embeddings.scale
    if difference != power * scale:
        raise RefutedError(
            f"{place}: the logits of tokens {data.token(z)} and {data.token(a)} after context {data.context(j)} must "
            f"differ by {exact(power)}, not {exact(Fraction(difference, scale))}"
        )


def _log_odds(data: Data) -> Iterator[tuple[int, int, int, int]]:
    """The equations: context j, token z of its support, first token a of its support, and the position of z."""
    for j, (first, *others) in enumerate(data.supports):
        for i, z in enumerate(others, start=1):
            yield j, z, first, i


def _product(powers: dict[int, int]) -> str:
    """A product of powers in short."""
    factors = (exact(b) if y == 1 else f"{exact(b)}^{exact(y)}" for b, y in powers.items())
    return shortened(" * ".join(factors), limit=200)
