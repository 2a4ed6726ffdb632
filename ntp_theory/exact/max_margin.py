"""The NTP-SVM solved in rationals: the optimality conditions on the active constraints of a float solution."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import as_decoder
from ..elimination import Elimination
from .direction import Decoder, decoder_in_words
from .multipliers import Entries, entries_in_words
from .proof import Proof, document
from .rationals import Row, common_denominator, echelon, primitive_rows, rational, snap

__all__ = ["NEAR", "prove_max_margin"]

# Multipliers below this, relative to the largest, are first taken for zero; wrong guesses are mended exactly, a few in
# a round. Data that needs more rounds was not solved to begin with.
ACTIVE = 1e-7
ROUNDS = 10
# A relative duality gap of 1e-10, the largest that is ever accepted, leaves W_mm within 1.5e-5, relative.
NEAR = 1e-4


def prove_max_margin(data: NTPDataset, direction: Tensor, duals: Tensor) -> Proof:
    """Whether the exact solution of the NTP-SVM rounds to ``direction``.

    Parameters
    ----------
    data : NTPDataset
    direction : Tensor (V, d)
        W_mm.
    duals : Tensor (m, V)
        alpha; non-zero on the active constraints.

    Returns
    -------
    Proof
        The document holds W_mm, its multipliers and ``||W_mm||^2`` as rationals.

    Raises
    ------
    SolverError
        If there are more than 1500 active constraints.

    Notes
    -----
    Source: 2402.18551 Definition 3 (`bias/definition-3`, `bias/svm-structure`), conditions of Karush, Kuhn and Tucker.

    Examples
    --------
    >>> from ntp_theory import solve_svm
    >>> solution = solve_svm(NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))
    >>> prove_max_margin(solution.data, solution.direction, solution.duals).document["proof"]["norm_squared"]
    '4/3'
    """
    shape = (data.vocab_size, data.dim)
    direction, duals = as_decoder(direction, shape, data.embeddings).double().cpu(), duals.double().cpu()
    embeddings, scale = primitive_rows(data.embeddings)
    inside = list(zip(data.pattern.contexts.tolist(), data.pattern.tokens.tolist(), strict=True))
    near = _multipliers(data, direction, duals)
    off = [(j, v) for j, v in (duals > ACTIVE * duals.max()).nonzero().tolist()]
    off.sort(key=near.__getitem__)
    for _ in range(ROUNDS):
        found = _stationary(inside, off, embeddings, scale, near)
        if found is None:  # ties that hold up to rounding only: the weakest of them are not active
            off = _independent(inside, off, embeddings, data)
            found = _stationary(inside, off, embeddings, scale, near)
        if found is None:
            break
        multipliers, levels = found
        wrong = {entry for entry in off if multipliers[entry] >= 0}
        decoder = _decoder(multipliers, embeddings, data)
        violated = _violated(decoder, levels, embeddings, data)
        if not wrong and not violated:
            return _proof(data, multipliers, decoder, scale, direction)
        off = violated + [entry for entry in off if entry not in wrong]
    return Proof("max margin", "not certified", "the active constraints were not found", None)


def _proof(
    data: NTPDataset, multipliers: dict[tuple[int, int], Any], decoder: Decoder, scale: list[Any], direction: Tensor
) -> Proof:
    exact = torch.tensor([[float(x) for x in row or [0] * data.dim] for row in decoder], dtype=torch.float64)
    distance = float((exact - direction).norm())
    if distance > NEAR * float(exact.norm()):
        return Proof("max margin", "refuted", f"the exact W_mm is {distance:.1e} away", None)
    square = sum((x * x for row in decoder for x in row or []), rational(0))
    entries: Entries = [(j, v, c / scale[j]) for (j, v), c in multipliers.items() if c]
    proof = {
        "direction": decoder_in_words(decoder),
        "multipliers": entries_in_words(entries),
        "norm_squared": str(square),
    }
    words = f"all conditions of optimality hold exactly, ||W_mm||^2 = {_short(square)}"
    return Proof("max margin", "proved", words, document("max margin", data, proof))


def _independent(
    inside: list[tuple[int, int]], off: list[tuple[int, int]], embeddings: list[list[int]], data: NTPDataset
) -> list[tuple[int, int]]:
    """The constraints off the supports that are independent of those on them and of the ones before."""
    levels, d = data.vocab_size * data.dim, data.dim
    rows = [{levels + j: 1} | {v * d + k: x for k, x in enumerate(embeddings[j])} for j, v in inside + off]
    chosen, _ = echelon(rows, levels + data.num_contexts)
    return [off[i - len(inside)] for i in chosen if i >= len(inside)]


def _multipliers(data: NTPDataset, direction: Tensor, duals: Tensor) -> dict[tuple[int, int], float]:
    """Float multipliers: minus the duals off the supports, and in-support ones that balance them."""
    h = data.embeddings.double().cpu()
    norms = torch.where((norms := h.norm(dim=1)) > 0, norms, 1.0)
    pattern, unit, scaled = data.pattern.to("cpu"), h / norms[:, None], duals * norms[:, None]
    own = Elimination(unit, pattern).balance(direction + scaled.T @ unit, scaled.sum(1))
    c = -duals
    c[pattern.contexts, pattern.tokens] = own / norms[pattern.contexts]
    return {(j, v): float(c[j, v]) for j, v in (c != 0).nonzero().tolist()}


def _stationary(
    inside: list[tuple[int, int]],
    off: list[tuple[int, int]],
    embeddings: list[list[int]],
    scale: list[Any],
    near: dict[tuple[int, int], float],
) -> tuple[dict[tuple[int, int], Any], dict[int, Any]] | None:
    """Multipliers and levels, for primitive embeddings k_j, with W = C^T K and all active constraints tight.

    In-support logits are ``levels[j] + 1 / scale[j]``, active off-support ones ``levels[j]``; rows of C sum to 0.
    """
    entries = inside + off
    contexts = sorted({j for j, _ in inside})
    column = {j: len(entries) + n for n, j in enumerate(contexts)}
    by_token: dict[int, list[int]] = defaultdict(list)
    by_context: dict[int, dict[int, int]] = defaultdict(dict)
    for i, (j, v) in enumerate(entries):
        by_token[v].append(i)
        by_context[j][i] = 1
    products: dict[tuple[int, int], int] = {}
    rows: list[Row] = []
    for j, v in entries:
        row = {column[j]: -1}
        for i in by_token[v]:
            pair = (j, entries[i][0]) if j < entries[i][0] else (entries[i][0], j)
            if pair not in products:
                products[pair] = sum(x * y for x, y in zip(embeddings[pair[0]], embeddings[pair[1]], strict=True))
            row[i] = products[pair]
        rows.append(row)
    right = [1 / scale[j] for j, _ in inside] + [rational(0)] * (len(off) + len(contexts))
    rows += [by_context[j] for j in contexts]
    point = [near.get(entry, 0.0) * float(scale[entry[0]]) for entry in entries] + [0.0] * len(contexts)
    order = [*range(len(inside)), *column.values(), *range(len(inside), len(entries))]
    solution = snap(rows, right, point, order)
    if solution is None:
        return None
    return dict(zip(entries, solution, strict=False)), {j: solution[c] for j, c in column.items()}


def _decoder(multipliers: dict[tuple[int, int], Any], embeddings: list[list[int]], data: NTPDataset) -> Decoder:
    """Rows of W = C^T K."""
    decoder: Decoder = [None] * data.vocab_size
    by_token: dict[int, list[tuple[int, Any]]] = defaultdict(list)
    for (j, v), c in multipliers.items():
        by_token[v].append((j, c))
    for v, column in by_token.items():
        numerators, denominator = common_denominator(c for _, c in column)
        pairs = [(embeddings[j], c) for (j, _), c in zip(column, numerators, strict=True)]
        row = [sum(h[k] * c for h, c in pairs) * rational(1) / denominator for k in range(data.dim)]
        decoder[v] = row if any(row) else None
    return decoder


def _violated(
    decoder: Decoder, levels: dict[int, Any], embeddings: list[list[int]], data: NTPDataset
) -> list[tuple[int, int]]:
    """Off-support pairs whose margin is less than 1."""
    mask, out = data.support.tolist(), []
    for v, row in enumerate(decoder):
        numerators, denominator = common_denominator(row or [rational(0)] * data.dim)
        for j, h in enumerate(embeddings):
            if mask[j][v]:
                continue
            if sum(x * y for x, y in zip(h, numerators, strict=True)) > levels[j] * denominator:
                out.append((j, v))
    return out


def _short(value: Any) -> str:
    words = str(value)
    return words if len(words) <= 20 else f"{float(value):.15g} (a ratio of {len(words)} digits)"
