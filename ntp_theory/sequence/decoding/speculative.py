"""Speculative sampling: a small model drafts, the large one verifies, and the law is the large one's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from ...doors import nonnegative, one_of, whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from .choices import Choices, Sampled
from .decoded import Decoded, Texts
from .reading import ExactModel, Reader, laws_of, prompts_of
from .verification import VERIFICATIONS

__all__ = ["speculative_sample"]


def speculative_sample(
    target: LanguageModel | ExactModel,
    draft: LanguageModel | ExactModel,
    prompt: Tensor | Batch,
    max_new_tokens: int,
    *,
    gamma: int = 4,
    temperature: float = 1.0,
    verification: str = "token",
    eos: int | None = None,
    rng: int | np.random.Generator | Choices = 0,
) -> Decoded:
    """Sample from a model in fewer passes, with the help of another.

    Contract: **equal in distribution** to sampling from the target token by token at the same temperature, whatever
    the draft model is; at temperature 0, equal to `greedy` token for token as far as rounding decides no argmax
    (`margin_certificate`).

    Parameters
    ----------
    target, draft : LanguageModel, or ExactModel
        With the same vocabulary. `Table` is exact: its laws are fractions.
    prompt : Tensor (b, p) or (b, p, s), or Batch
        At least one token.
    max_new_tokens : int
        For each text.
    gamma : int
        The most tokens that are drafted at once.
    temperature : float
        Of both models; 0 means the likeliest token. 0 or 1 for exact models.
    verification : {"token", "block"}
        Draft by draft, or all drafts of a block as a whole, which keeps as many or more on average.
    eos : int, optional
        The token that ends a text, also inside a block.
    rng : int, numpy.random.Generator or Choices

    Returns
    -------
    Decoded

    Raises
    ------
    UsageError
        If an argument is out of its range, the vocabularies differ, or a text outgrows a model.

    Notes
    -----
    Sources: Leviathan et al., 2211.17192, `speculative/step`; Sun et al., 2403.10444, `speculative/block-verification`.
    The pass over the prompt gives the first token. Texts of a batch go on at their own pace.

    Examples
    --------
    >>> import torch
    >>> from ntp_theory.sequence.models import Table
    >>> from .choices import law
    >>> target, draft = Table.random(2, 1, rng=0), Table.random(2, 1, rng=1)
    >>> prompt = torch.tensor([[0]])
    >>> found = law(lambda choices: speculative_sample(target, draft, prompt, 3, rng=choices).texts()[0])
    >>> found[0, 1, 1] == target.law([0])[0] * target.law([0])[1] * target.law([1])[1]
    True
    """
    whole("max_new_tokens", max_new_tokens, at_least=1)
    whole("gamma", gamma, at_least=1)
    nonnegative("temperature", temperature)
    one_of("verification", verification, VERIFICATIONS)
    v = _vocab_size("target", target)
    prompts = prompts_of(prompt, v)
    if _vocab_size("draft", draft) != v:
        raise UsageError(f"draft has {_vocab_size('draft', draft)} tokens; it must have those of target, {v}")
    if eos is not None:
        whole("eos", eos, at_least=0, at_most=v - 1)
    choices = rng if isinstance(rng, Choices) else Sampled(rng)
    verify = VERIFICATIONS[verification]
    large, small = laws_of(target, prompts, temperature), laws_of(draft, prompts, temperature)
    texts = Texts(prompts, max_new_tokens, eos, gamma)
    for row, first in zip(texts.rows, large.first(), strict=True):
        row.append(choices.draw(first))
    while live := texts.open():
        drafts, guesses = _draft(small, texts, live, gamma, choices)
        since = [len(row) for row in texts.rows]
        asked = [texts.rows[r] + drafts[r] if r in drafts else None for r in range(len(since))]
        laws = large.after(asked, since, settled=min(since[r] for r in live))
        for r in live:
            kept, following = verify(choices, laws[r], guesses[r], drafts[r])
            texts.count(len(drafts[r]), kept)
            texts.rows[r] += drafts[r][:kept]
            if texts.goes_on(r):
                texts.rows[r].append(choices.draw(following))
    return texts.decoded(large.passes, small.passes)


def _draft(
    small: Reader, texts: Texts, live: Sequence[int], gamma: int, choices: Choices
) -> tuple[dict[int, list[int]], dict[int, list[NDArray[Any]]]]:
    """Drafts for each text that goes on, and the laws that they were drawn from; none behind an end of sequence."""
    drafts: dict[int, list[int]] = {r: [] for r in live}
    guesses: dict[int, list[NDArray[Any]]] = {r: [] for r in live}
    settled = min(len(texts.rows[r]) for r in live)
    for place in range(gamma):
        going = {r for r in live if place < texts.room(r) and texts.goes_on(r, drafts[r])}
        if not going:
            break
        asked = [row + drafts[r] if r in going else None for r, row in enumerate(texts.rows)]
        laws = small.after(asked, [0 if row is None else len(row) for row in asked], settled)
        for r in sorted(going):
            guesses[r].append(laws[r][0])
            drafts[r].append(choices.draw(laws[r][0]))
    return drafts, guesses


def _vocab_size(name: str, model: LanguageModel | ExactModel) -> int:
    if isinstance(model, LanguageModel):
        return model.head.out_features
    if isinstance(model, ExactModel):
        return model.vocab_size
    raise UsageError(f"{name} is {model!r}; it must be a LanguageModel or have laws, as Table")
