"""Extended supports proved exactly, from both sides."""

from __future__ import annotations

from torch import Tensor

from ..dataset import NTPDataset
from ..support import SupportPattern
from .blocked import block
from .direction import Decoder, exact_direction
from .direction import in_words as decoder_in_words
from .multipliers import Entries, in_words
from .proof import Proof, document

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
    blocked: list[Entries] | str = [] if multipliers is None else block(data, pattern, multipliers)
    decoder: Decoder | str | None = None if direction is None else exact_direction(data, pattern, direction)
    for found in (blocked, decoder):
        if isinstance(found, str):
            return Proof("extended support", "not certified", found, None)
    assert not isinstance(blocked, str) and not isinstance(decoder, str)
    added = len(pattern.tokens) - len(data.pattern.tokens)
    if (added > 0) != bool(blocked) or (pattern.num_off_support > 0) != (decoder is not None):
        return Proof("extended support", "not certified", "one of its two certificates is missing", None)
    starts = [*pattern.starts.tolist(), len(pattern.tokens)]
    proof = {
        "extended": [pattern.tokens[a:b].tolist() for a, b in zip(starts, starts[1:], strict=False)],
        "direction": decoder and decoder_in_words(decoder),
        "blocked": [in_words(entries) for entries in blocked],
    }
    words = f"{added} pairs blocked by {len(blocked)} exact combinations, {pattern.num_off_support} separated exactly"
    return Proof("extended support", "proved", words, document("extended support", data, proof))
