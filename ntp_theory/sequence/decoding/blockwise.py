"""Greedy decoding in blocks: a model proposes the next few tokens at once and verifies them in its next pass."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ...doors import whole
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from .decoded import Decoded, Texts
from .reading import Cached, foresight, likeliest, prompts_of

__all__ = ["self_speculative"]


def self_speculative(
    model: LanguageModel,
    prompt: Tensor | Batch,
    max_new_tokens: int,
    *,
    heads: Callable[[Tensor], Tensor] | None = None,
    eos: int | None = None,
) -> Decoded:
    """What a model says, each token the likeliest after those before it, several of them a pass.

    Contract: **equal to** `greedy` token for token, whatever the heads propose, as far as rounding decides no argmax
    (`margin_certificate`).

    Parameters
    ----------
    model : LanguageModel
    prompt : Tensor (b, p) or (b, p, s), or Batch
        At least one token.
    max_new_tokens : int
        For each text.
    heads : callable, optional
        From the model's features (b, t, d) to logits (b, t, n, v) of the n tokens behind the next one. Without it the
        model has a method ``future(tokens, cache)`` that gives logits (b, t, n + 1, v), of the next token first.
    eos : int, optional
        The token that ends a text, also inside a block.

    Returns
    -------
    Decoded
        With at most n + 1 tokens a pass; no draft model, so no passes of it.

    Raises
    ------
    UsageError
        If an argument is out of its range, there are no heads, or a text outgrows the model.

    Notes
    -----
    Source: Stern et al. 2018; Gloeckle et al., 2404.19737 (`multitoken/self-speculation`,
    `speculative/greedy-equivalence`). Each pass verifies the proposals of the one before and makes new ones.

    Examples
    --------
    >>> import torch
    >>> from ntp_theory.sequence.decoding import greedy
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=12, layers=1, width=8, heads=1))
    >>> prompt = torch.tensor([[1, 2]])
    >>> two = lambda features: torch.stack([model.head(features)] * 2, dim=2)  # guess the next token again, twice
    >>> said = self_speculative(model, prompt, 9, heads=two)
    >>> bool(torch.equal(said.tokens, greedy(model, prompt, 9))), said.target_passes <= 9
    (True, True)
    """
    whole("max_new_tokens", max_new_tokens, at_least=1)
    prompts = prompts_of(prompt, model.head.out_features)
    if eos is not None:
        whole("eos", eos, at_least=0, at_most=model.head.out_features - 1)
    reader = _reader(model, prompts, heads)
    said = reader.first()
    texts = Texts(prompts, max_new_tokens, eos, len(said[0]) - 1)
    proposals: list[list[int]] = []
    for row, (token, *behind) in zip(texts.rows, (one.tolist() for one in said), strict=True):
        row.append(token)
        proposals.append(behind)
    while live := texts.open():
        since = [len(row) for row in texts.rows]
        drafts = {r: texts.until_end(proposals[r][: texts.room(r)]) for r in live}
        asked = [texts.rows[r] + drafts[r] if r in drafts else None for r in range(len(since))]
        said = reader.after(asked, since, settled=min(since[r] for r in live))
        for r in live:
            wanted = said[r][:, 0].tolist()
            kept = next((k for k, (a, b) in enumerate(zip(drafts[r], wanted, strict=False)) if a != b), len(drafts[r]))
            texts.count(len(drafts[r]), kept)
            texts.rows[r] += drafts[r][:kept]
            if texts.goes_on(r):
                texts.rows[r].append(wanted[kept])
                proposals[r] = said[r][kept, 1:].tolist()
    return texts.decoded(reader.passes, 0)


def _reader(model: LanguageModel, prompts: Tensor, heads: Callable[[Tensor], Tensor] | None) -> Cached:
    """What says the likeliest next tokens (b, t, n + 1) after every position."""
    trunk, logits = foresight(model, heads)
    return Cached(model, prompts, trunk, lambda states: likeliest(logits(states)).cpu().numpy())
