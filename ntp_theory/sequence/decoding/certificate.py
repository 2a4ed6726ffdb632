"""Where rounding can decide what a model says: logits that come out differently in blocks and token by token."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from ...doors import whole
from ...errors import UsageError
from ..models.embedding import LanguageModel
from ..tasks.batch import Batch
from .branching import branch_reader
from .reading import checked_tokens, prompts_of
from .trees import Tree

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
    model: LanguageModel, prompt: Tensor | Batch, tokens: Tensor, *, block: int | Tree
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
    block : int or Tree
        How many tokens are read at once; or the tree that is, with the tokens on its last longest path and others
        everywhere else.

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
    prompts = prompts_of(prompt, model.head.out_features)
    if not isinstance(block, Tree):
        whole("block", block, at_least=1)
    checked_tokens("tokens", tokens, model.head.out_features)
    if len(tokens) != len(prompts):
        raise UsageError(f"tokens has shape {tuple(tokens.shape)}; it must be ({len(prompts)}, n)")
    by_one = _by_chain(model, prompts, tokens, 1)
    by_block = (_by_tree if isinstance(block, Tree) else _by_chain)(model, prompts, tokens, block)  # type: ignore[arg-type]
    error = float((by_one - by_block).abs().max())
    # where there is but one token, it is far ahead
    first, second = pad(by_one, (0, 1), value=-torch.inf).topk(2, dim=-1).values.unbind(-1)
    margins = first - second
    differing = by_one.argmax(-1) != by_block.argmax(-1)
    certified = margins > 2 * error
    counts = (margins.numel(), int((~certified).sum()), int(differing.sum()), int((differing & certified).sum()))
    return MarginCertificate(*counts, error, float(margins.min()))


def _by_chain(model: LanguageModel, prompts: Tensor, tokens: Tensor, size: int) -> Tensor:
    """The logits (b, n, v) that each token is read off, the first after the prompt."""
    cache = model.new_cache()
    with model.asked():
        found = [model(prompts, cache)[:, -1:]]
        found += [model(part, cache) for part in tokens[:, :-1].split(size, dim=1) if part.shape[1]]
    return torch.cat(found, dim=1).double()


def _by_tree(model: LanguageModel, prompts: Tensor, tokens: Tensor, tree: Tree) -> Tensor:
    """The same logits, each read off a node of a tree."""

    def say(features: Tensor) -> NDArray[np.float64]:
        logits: NDArray[np.float64] = model.head(features).double().cpu().numpy()
        return logits

    reader = branch_reader(model, prompts, tree, model.features, say)
    chain = tree.chain(len(tree))
    found = [reader.first()]
    v = len(found[0][0])
    rest = tokens[:, :-1].tolist()  # what is read, and what of it has not been
    while rest[0]:
        known = chain[: len(rest[0]) - 1]
        nodes = tree.paths[: tree.size_to(len(known))]
        asked = []
        for row in rest:
            # the number that is added is not a multiple of v: another token than that of the same depth on the chain
            others = (((row[len(path)] + 1 + i % (v - 1)) % v if v > 1 else 0) for i, path in enumerate(nodes))
            asked.append([row[0], *others])
            for depth, number in enumerate(known, 1):
                asked[-1][number] = row[depth]
        said = reader.after(asked)
        reader.keep([known] * len(rest))
        found += [[answers[number] for answers in said] for number in (0, *known)]
        rest = [row[1 + len(known) :] for row in rest]
    return torch.from_numpy(np.array(found)).transpose(0, 1).to(prompts.device)
