"""The shortest reasons we can find why data is not separable, or not compatible, in words."""

from __future__ import annotations

from typing import overload

import numpy as np
import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..errors import UsageError
from .certificates import Contradiction, FarkasCertificate
from .circuits import Circuits
from .standing import STATIONARY, standing_certificate

__all__ = ["describe_explanation", "explain"]

# Coefficients are printed as whole numbers if they are that to this accuracy, relative, and all below the other number.
WHOLE = 1e-9
LARGEST = 1_000


@overload
def explain(certificate: FarkasCertificate) -> FarkasCertificate | None: ...
@overload
def explain(certificate: Contradiction) -> Contradiction | None: ...
def explain(certificate: FarkasCertificate | Contradiction) -> FarkasCertificate | Contradiction | None:
    """The smallest certificate we can find that proves the same: few contexts and few tokens.

    Parameters
    ----------
    certificate : FarkasCertificate or Contradiction
        Why the data is not separable, or not compatible.

    Returns
    -------
    FarkasCertificate or Contradiction, or None
        A certificate of the same kind with at most as many entries. It is irreducible: its entries carry no other
        relation, so with any of them left out nothing is proved. It is not shown to be the smallest of all. None if
        the data is so large that no short certificate was found in the work that the search may take.

    Raises
    ------
    UsageError
        If there is no certificate.

    Notes
    -----
    Source: ours (`bias/definition-2`, `bias/definition-1`). On d-dimensional embeddings in general position every
    certificate ties at least d + 1 contexts; additive embeddings have ties of 4.

    Examples
    --------
    >>> from ntp_theory.conditions import check_separability
    >>> h = [[1.0], [2.0], [3.0]]
    >>> data = NTPDataset(h, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.3, 0.3, 0.4]], context_names=["a", "b", "c"])
    >>> print(describe_explanation(explain(check_separability(data).certificate)))
    not NTP-separable: 2 contexts and 2 tokens suffice to show it
      their embeddings cancel: 2 'a' - 'b' = 0
      so these differences of logits add up to 0 for every decoder, but separation needs each above 0:
        2 x after 'a': #0 over #1, which never follows
        1 x after 'b': #1 over #0, which never follows
    """
    _check(certificate)
    data = certificate.data
    h, support = data.embeddings.double().cpu().numpy(), data.support.cpu().numpy()
    norms = np.linalg.norm(h, axis=1)
    lengths = np.where(norms > 0, norms, 1.0)[:, None]
    if isinstance(certificate, FarkasCertificate):
        allowed, gain = np.ones_like(support), np.where(support, 0.0, -1.0)
    else:
        allowed, gain = support, _log_conditionals(data).numpy() / lengths
    found = Circuits(h / lengths, support, gain, allowed).smallest()
    if found is None or len(found.tokens) > len(certificate.tokens):
        own = np.zeros_like(support)
        own[certificate.contexts.cpu(), certificate.tokens.cpu()] = True
        found = Circuits(h / lengths, support, gain, own).first()
    if found is None or len(found.tokens) > len(certificate.tokens):
        return None
    c = data.embeddings.new_zeros(data.num_contexts, data.vocab_size)
    c[found.contexts, found.tokens] = torch.as_tensor(found.coefficients / lengths[found.contexts, 0]).to(c)
    if isinstance(certificate, FarkasCertificate):
        return standing_certificate(c, torch.arange(data.num_contexts), data)
    return _contradiction(c / c.abs().sum(), data)


def _check(certificate: object) -> None:
    if not isinstance(certificate, FarkasCertificate | Contradiction):
        raise UsageError(
            f"certificate is {certificate!r}; it must be a FarkasCertificate or a Contradiction, which there is only "
            "if the data is not separable or not compatible"
        )


def _log_conditionals(data: NTPDataset) -> Tensor:
    """log p_{j,z} on the supports up to a constant a context, 0 elsewhere; (m, V)."""
    logs = data.masses.new_zeros(data.num_contexts, data.vocab_size)
    logs[data.pattern.contexts, data.pattern.tokens] = data.masses.log()
    return logs.cpu()


def _contradiction(c: Tensor, data: NTPDataset) -> Contradiction | None:
    """Multipliers (m, V) on the supports as a contradiction; None if they are not stationary."""
    residual = float((c.T @ data.embeddings).norm())
    if residual > STATIONARY * float((c.abs().sum(1) * data.embeddings.norm(dim=1)).sum()):
        return None
    j, z = c.nonzero(as_tuple=True)
    return Contradiction(j, z, c[j, z], float((c.double().cpu() * _log_conditionals(data)).sum()), residual, data)


def describe_explanation(certificate: FarkasCertificate | Contradiction, limit: int = 8) -> str:
    """A short certificate in words: which logits it ties after which contexts, and what is asked of them.

    Parameters
    ----------
    certificate : FarkasCertificate or Contradiction
        Usually from `explain`.
    limit : int
        Contexts to write out, heaviest first.

    Returns
    -------
    str
        One line a context: the tokens with positive coefficients *over* those with negative ones. Coefficients are
        scaled to whole numbers where they are in such proportions, and to a largest weight of 1 elsewhere.

    Raises
    ------
    UsageError
        If there is no certificate.

    Examples
    --------
    >>> from ntp_theory.conditions import check_compatibility
    >>> data = NTPDataset([[1.0], [2.0]], [[0.2, 0.8], [0.5, 0.5]])
    >>> print(describe_explanation(explain(check_compatibility(data).certificate)))
    not NTP-compatible: 2 contexts and 2 tokens suffice to show it
      their embeddings cancel: 2 #0 - #1 = 0
      so these differences of log-probabilities add up to 0 for every decoder, but in the data to 2.77259 nats:
        2 x after #0: #1 over #0: 1.38629 nats
        1 x after #1: #0 over #1: 0 nats
    """
    _check(certificate)
    data, tokens = certificate.data, certificate.tokens.unique().tolist()
    logs = _log_conditionals(data)
    c = torch.zeros(data.num_contexts, data.vocab_size, dtype=torch.float64)
    c[certificate.contexts, certificate.tokens] = certificate.coefficients.double().cpu()
    c *= _scale(c)
    weights = c.clamp(min=0.0).sum(1)
    used = weights.argsort(descending=True, stable=True)[: int((weights > 0).sum())].tolist()
    if isinstance(certificate, FarkasCertificate):
        strict = len(certificate.contexts[certificate.off_support].unique())
        asked = f"{strict} of them above 0 and {len(used) - strict} at 0" if strict < len(used) else "each above 0"
        verdict, tied, asked = "separable", "logits", f"separation needs {asked}"
    else:
        asked = f"in the data to {float((c * logs).sum()):.6g} nats"
        verdict, tied = "compatible", "log-probabilities"
    contexts = "1 context" if len(used) == 1 else f"{len(used)} contexts"
    lines = [
        f"not NTP-{verdict}: {contexts} and {len(tokens)} tokens suffice to show it",
        f"  {_relation(c[used][:, tokens], [data.context_name(j) for j in used], limit)}",
        f"  so these differences of {tied} add up to 0 for every decoder, but {asked}:",
    ]
    for j in used[:limit]:
        row = c[j] / weights[j]
        # logarithms of conditionals have an absolute error of some 1e-15
        nats = round(float(row @ logs[j]), 12) + 0.0
        note = _follows(row, j, data) if verdict == "separable" else f": {nats:.6g} nats"
        above, below = _side(row, data), _side(-row, data)
        lines.append(f"    {float(weights[j]):.3g} x after {data.context_name(j)}: {above} over {below}{note}")
    if len(used) > limit:
        lines.append(f"    and {len(used) - limit} more")
    return "\n".join(lines)


def _relation(c: Tensor, contexts: list[str], limit: int) -> str:
    """What the embeddings of the contexts satisfy, for coefficients (contexts, tokens)."""
    if len(contexts) == 1:
        return "its embedding is zero"
    if c.shape[1] > 2:
        return "their embeddings cancel in one combination for each token"
    terms = list(zip((c[:, 0] * c[0, 0].sign()).tolist(), contexts, strict=True))
    more = f" and {len(terms) - limit} more terms" if len(terms) > limit else ""
    return f"their embeddings cancel: {_sum(terms[:limit])}{more} = 0"


def _scale(c: Tensor) -> float:
    """What makes all entries small whole numbers, if they are in such proportions, or else the largest one 1."""
    size = c[c != 0].abs()
    ratios = size / size.min()
    exact = bool(((ratios - ratios.round()).abs() <= WHOLE * ratios).all() and ratios.max() < LARGEST)
    return 1.0 / float(size.min() if exact else size.max())


def _follows(row: Tensor, j: int, data: NTPDataset) -> str:
    """Which of the lowered tokens never follow."""
    lowered = (row < 0).nonzero()[:, 0].tolist()
    never = [data.token_name(v) for v in lowered if not data.support[j, v]]
    if not never:
        return " (both follow)" if len(row.nonzero()) == 2 else " (all follow)"
    return ", which never follows" if len(lowered) == 1 else f"; never: {', '.join(never)}"


def _side(row: Tensor, data: NTPDataset) -> str:
    return _sum([(float(row[v]), data.token_name(v)) for v in (row > 0).nonzero()[:, 0].tolist()])


def _sum(terms: list[tuple[float, str]]) -> str:
    """Terms with their coefficients, those of 1 left out."""
    words = [("- " if g < 0 else "+ ") + ("" if abs(abs(g) - 1) < WHOLE else f"{abs(g):.3g} ") + x for g, x in terms]
    return " ".join(words).removeprefix("+ ")
