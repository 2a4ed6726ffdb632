"""The finite part against the log-odds of the corpus: what of a decoder says how often, among tokens that do follow.

After context j, and among the tokens of its support alone, a decoder gives token z the probability
``softmax(W h_j restricted to S_j)_z``; log-odds of two tokens are differences of logits. On compatible data W*, and
every decoder with the same part in F, gives exactly the corpus's conditionals. On other data no decoder does, and W* is
a compromise. W_mm has equal logits on every support: it says nothing about how often.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..dataset import NTPDataset, as_dataset
from ..doors import as_decoder, whole

__all__ = ["LogOdds", "log_odds"]


@dataclass(frozen=True, eq=False, repr=False)
class LogOdds:
    """Outcome of `log_odds`.

    Attributes
    ----------
    data : NTPDataset
    log_probabilities : Tensor (n,), float64
        Logarithm of what the decoder gives token z among those of S_j, on the entries of ``data.pattern``, nats.
    errors : Tensor (n,), float64
        The same minus log p_{j,z} of the corpus.
    """

    data: NTPDataset
    log_probabilities: Tensor
    errors: Tensor

    @property
    def misfit(self) -> Tensor:
        """Largest error of the log-odds of two tokens, by context; (m,), nats."""
        pattern = self.data.pattern
        return pattern.max(self.errors) - pattern.min(self.errors)

    @property
    def divergence(self) -> Tensor:
        """KL of the decoder's in-support distribution from the corpus's, by context; (m,), nats.

        Weighted by pi_j it sums to the in-support part of the loss above the entropy (`bias/split`).
        """
        # p log(p/q) - p + q, each term of which is not negative: they sum to KL, as p and q sum to 1
        p, e = self.data.conditionals.double(), self.errors
        return self.data.pattern.sum(p * (torch.expm1(e) - e))

    def worst(self, limit: int = 5) -> list[tuple[str, str, float, float]]:
        """The largest errors as (context, token, probability in the corpus, probability by the decoder).

        Raises
        ------
        UsageError
            If ``limit`` is no number of at least 0.
        """
        limit = whole("limit", limit, at_least=0)
        pattern, p = self.data.pattern, self.data.conditionals.double()
        return [
            (
                self.data.context_name(int(pattern.contexts[i])),
                self.data.token_name(int(pattern.tokens[i])),
                float(p[i]),
                float(self.log_probabilities[i].exp()),
            )
            for i in self.errors.abs().argsort(descending=True, stable=True)[:limit].tolist()
        ]

    def __repr__(self) -> str:
        return f"<LogOdds: misfit {float(self.misfit.max()):.3g} nats, {self.data.num_contexts} contexts>"

    def summary(self, limit: int = 5) -> str:
        """The answer in words, with the largest errors."""
        weighted = float(self.data.weights.double() @ self.divergence)
        lines = [
            f"log-odds of the corpus: off by at most {float(self.misfit.max()):.3g} nats "
            f"(median context {float(self.misfit.median()):.3g}), KL {weighted:.3g} nats on average",
        ]
        for context, token, corpus, found in self.worst(limit):
            lines.append(f"  {token} after {context}: {corpus:.4g} in the corpus, {found:.4g} by the decoder")
        return "\n".join(lines)


def log_odds(weights: ArrayLike | Tensor, data: NTPDataset) -> LogOdds:
    """Hold the in-support distributions of a decoder against those of the corpus.

    Parameters
    ----------
    weights : array-like (V, d)
        W*, as ``predict(data).finite``, or any other decoder.
    data : NTPDataset

    Returns
    -------
    LogOdds

    Raises
    ------
    UsageError
        If ``data`` is no dataset, or ``weights`` does not fit it.

    Notes
    -----
    Source: 2402.18551 Definition 1 (`bias/definition-1`) and Theorem 2 (`bias/theorem-2`); W* on data that is not
    compatible is ours (`bias/any-data`).

    Examples
    --------
    >>> from ntp_theory import predict
    >>> data = NTPDataset([[1.0, 0.0], [1.0, 1.0]], [[0.25, 0.75, 0.0], [0.0, 0.5, 0.5]])
    >>> float(log_odds(predict(data).finite, data).misfit.max()) < 1e-12
    True
    """
    as_dataset("data", data)
    decoder = as_decoder(weights, (data.vocab_size, data.dim), data.embeddings.double())
    pattern = data.pattern
    logits = pattern.inside(data.embeddings.double() @ decoder.T)
    found = logits - pattern.logsumexp(logits)[pattern.contexts]
    return LogOdds(data, found, found - data.conditionals.double().log())
