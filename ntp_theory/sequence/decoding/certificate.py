"""Where rounding can decide what a model says: logits that come out differently in blocks and token by token."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...doors import whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from .reading import prompts_of

__all__ = ["MarginCertificate", "margin_certificate"]


@dataclass(frozen=True)
class MarginCertificate:
    """Which tokens of greedy decoding are the same in blocks and token by token, by their margins.

    Attributes
    ----------
    positions : int
        Tokens that were judged.
    uncertified : int
        Those with a margin between the two largest logits of at most twice ``error``.
    differing : int
        Those whose likeliest token differed.
    certified_differing : int
        Those of them that were certified: 0, or the theorem is wrong.
    error : float
        The largest difference of a logit.
    margin : float
        The smallest margin.
    """

    positions: int
    uncertified: int
    differing: int
    certified_differing: int
    error: float
    margin: float

    def summary(self) -> str:
        """One line for a terminal."""
        return (
            f"{self.positions - self.uncertified} of {self.positions} tokens certified, {self.differing} differ: "
            f"margins from {self.margin:.2g}, logits differ by up to {self.error:.2g}"
        )


def margin_certificate(
    model: LanguageModel, prompt: Tensor | Batch, tokens: Tensor, *, block: int
) -> MarginCertificate:
    """Hold the logits of tokens read in blocks against those of tokens read one by one, both by way of a cache.

    A token is certain if its two largest logits differ by more than twice the largest difference between the two
    computations: the likeliest token is then the same. In double precision all should be; in bfloat16 ties are common.

    Parameters
    ----------
    model : LanguageModel
        In the precision that is in question.
    prompt : Tensor (b, p) or (b, p, s), or Batch
    tokens : Tensor (b, n), int64
        What was said after it, as by `greedy`.
    block : int
        How many tokens are read at once.

    Returns
    -------
    MarginCertificate

    Raises
    ------
    UsageError
        If there are no tokens, or they are not for these prompts.

    Notes
    -----
    Source: derived; `speculative/margin-certificate`.

    Examples
    --------
    >>> from ntp_theory.sequence.decoding import greedy
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=5, max_length=12, layers=1)).double()
    >>> prompt = torch.tensor([[1, 2]])
    >>> margin_certificate(model, prompt, greedy(model, prompt, 9), block=3).uncertified
    0
    """
    prompts = prompts_of(prompt)
    whole("block", block, at_least=1)
    if tokens.dim() != 2 or len(tokens) != len(prompts) or tokens.shape[1] == 0:
        raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must be ({len(prompts)}, n) with n >= 1")
    by_one, by_block = (_logits(model, prompts, tokens, size).double() for size in (1, block))
    error = float((by_one - by_block).abs().max())
    first, second = by_one.topk(2, dim=-1).values.unbind(-1)
    margins = first - second
    differing = by_one.argmax(-1) != by_block.argmax(-1)
    certified = margins > 2 * error
    counts = (margins.numel(), int((~certified).sum()), int(differing.sum()), int((differing & certified).sum()))
    return MarginCertificate(*counts, error, float(margins.min()))


def _logits(model: LanguageModel, prompts: Tensor, tokens: Tensor, size: int) -> Tensor:
    """The logits (b, n, v) that each token is read off, the first after the prompt."""
    cache = model.new_cache()
    with model.asked():
        found = [model(prompts, cache)[:, -1:]]
        found += [model(part, cache) for part in tokens[:, :-1].split(size, dim=1) if part.shape[1]]
    return torch.cat(found, dim=1)
