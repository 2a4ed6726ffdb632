"""Extended supports proved exactly, from both sides."""

from __future__ import annotations

from torch import Tensor

from ..dataset import NTPDataset
from ..support import SupportPattern
from .blocked import block
from .direction import Decoder, decoder_in_words, exact_direction
from .multipliers import Entries, entries_in_words
from .proof import Proof, document
from .rationals import NotExact

__all__ = ["prove_extended_support"]


def prove_extended_support(
    data: NTPDataset, pattern: SupportPattern, direction: Tensor | None, multipliers: Tensor | None
) -> Proof:
    """Whether the off-support pairs in ``pattern`` are blocked, and all others can be driven to zero probability.

    Parameters
    ----------
    data : NTPDataset
    pattern : SupportPattern
        The extended supports.
    direction : Tensor (V, d) or None
        Equal logits on them, higher than all others; None if there are no others.
    multipliers : Tensor (m, V) or None
        Negative on the blocked pairs; None if there are none.

    Returns
    -------
    Proof

    Notes
    -----
    Source: ours (`bias/any-data`, `bias/any-data-lp`).

    Examples
    --------
    >>> from ntp_theory import extended_support
    >>> answer = extended_support(NTPDataset([[1.0], [2.0], [-1.0]], [[0.5, 0.5], [1.0, 0.0], [0.5, 0.5]]))
    >>> prove_extended_support(answer.data, answer.pattern, None, answer.certificate.dense()).status
    'proved'
    """
    added = pattern.mask() & ~data.support
    if bool((data.support & ~pattern.mask()).any()):
        return Proof("extended support", "refuted", "it does not contain the supports", None)
    if bool(added.any()) != (multipliers is not None) or (pattern.num_off_support > 0) != (direction is not None):
        return Proof("extended support", "refuted", "its certificates are not those that its supports need", None)
    blocked: list[Entries] = []
    decoder: Decoder | None = None
    try:
        if multipliers is not None:
            blocked = block(data, pattern, multipliers)
        if direction is not None:
            decoder = exact_direction(data, pattern, direction)
    except NotExact as reason:
        return Proof("extended support", "not certified", str(reason), None)
    proof = {
        "extended": pattern.rows(),
        "direction": decoder and decoder_in_words(decoder),
        "blocked": [entries_in_words(entries) for entries in blocked],
    }
    pairs = f"{int(added.sum())} pairs blocked by {len(blocked)} exact combinations"
    words = f"{pairs}, {pattern.num_off_support} separated exactly"
    return Proof("extended support", "proved", words, document("extended support", data, proof))
