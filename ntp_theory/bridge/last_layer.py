"""The last layer of a trained model beside the best one that its features allow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..checks import Check
from ..dataset import NTPDataset, as_dataset
from ..doors import as_decoder
from ..loss import LossParts, evaluate
from ..predict import DISTANCE, Limit, predict
from ..sequence.models import LanguageModel
from ..subspace import data_subspace
from .features import head_weights

__all__ = ["LastLayer", "accuracy", "last_layer"]

# Of losses and margins.
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class LastLayer:
    """What a model's head makes of its features, and what is the most that any linear head could.

    Attributes
    ----------
    limit : Limit
        Where training the head alone, features frozen, must end up (`predict`).
    loss : LossParts
        Of the model's own head, nats.
    accuracy : float
        How often its likeliest token is next.
    margin : float
        The largest margin of a head of norm 1, divided by the root mean square of the features' norms, so that the
        scale of the features does not matter; of the supports that can be separated if not all can. 0 if none can.
    share : float
        The own head's margin as a share of that, at most 1; negative where it errs.
    cosine : float
        Of the angle between the own head's part off F and W_mm. It and ``share`` are nan if nothing can be separated.
    finite_error : float
        ``||P_F W - W*||`` of the own head over ``||W*||``: how far its log-odds are from the true ones; nan if W* is 0.
    """

    limit: Limit
    loss: LossParts
    accuracy: float
    margin: float
    share: float
    cosine: float
    finite_error: float

    @property
    def escaping(self) -> float:
        """The share of pairs of a context and a token off its support that heads can drive to zero probability."""
        supported = self.limit.data.support
        off = supported.numel() - int(supported.sum())
        return 1.0 - int((self.limit.support & ~supported).sum()) / off if off else 1.0

    @property
    def separable(self) -> bool:
        """Whether some linear head tells all tokens that follow a context from those that do not."""
        return self.limit.separability.separable

    @property
    def excess(self) -> float:
        """Loss of the own head above the infimum over all heads, nats."""
        return self.loss.value - self.limit.infimum

    @property
    def checks(self) -> list[Check]:
        """Certified bounds between the own head and the limit."""
        slack = ROUNDING * max(1.0, self.loss.value)
        found = [
            Check.at_most(
                "bias/any-data",
                bound=self.loss.value,
                computed=self.limit.infimum_bounds[0],
                slack=slack,
                evidence="certified",
                source="derived (D3)",
                statement="certified lower bound on the loss of all heads, against that of the own head, nats",
            )
        ]
        if self.limit.direction is not None:
            known = self.limit.svm.distance_bound() / self.limit.svm.norm
            found.append(
                Check.at_most(
                    "svm/dual",
                    bound=DISTANCE,
                    computed=known,
                    evidence="certified",
                    source="derived",
                    statement="distance to W_mm, relative, by the duality gap",
                )
            )
            if self.share > 0:
                found.append(
                    Check.at_most(
                        "bias/direction-certificate",
                        bound=self.cosine,
                        computed=self.share,
                        slack=2.0 * known + slack,
                        evidence="certified",
                        source="derived (D5)",
                        statement="share of the largest margin, against the cosine with W_mm",
                    )
                )
        return found

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, without matrices; nats."""
        data, limit = self.limit.data, self.limit
        return {
            "data": {
                "contexts": data.num_contexts,
                "tokens": data.vocab_size,
                "dimension": data.dim,
                "occurrences": None if data.counts is None else int(data.counts.sum()),
                "entropy_nats": data.entropy,
            },
            "case": limit.case,
            "compatible": limit.compatibility.compatible,
            "separable": self.separable,
            "escaping": self.escaping,
            "loss_nats": self.loss.value,
            "entropy_gap_nats": self.loss.gap,
            "in_support_nats": self.loss.in_support,
            "tail_nats": self.loss.tail,
            "infimum_nats": limit.infimum,
            "excess_nats": self.excess,
            "accuracy": self.accuracy,
            "margin": self.margin,
            "margin_share": self.share,
            "alignment": self.cosine,
            "finite_error": self.finite_error,
            "checks": [check.to_dict() for check in self.checks],
            "holds": self.holds,
        }

    def summary(self) -> str:
        """The comparison in words."""
        data = self.limit.data
        if self.limit.direction is None:
            margin = "no off-support token can be driven to zero probability"
        else:
            escaping = "separable" if self.separable else f"partly separable, {self.escaping:.2%} of off-support pairs"
            # a head that errs on some pair has no margin to compare
            own = f"own head has {self.share:.1%} of it" if self.share > 0 else "own head does not separate these pairs"
            margin = f"{escaping}: margin {self.margin:.4g} of the features' norm, {own}, cosine {self.cosine:.3f}"
        return (
            f"{data.num_contexts} contexts, d = {data.dim}, entropy {data.entropy:.4g} nats\n"
            f"loss {self.loss.value:.4g} nats, {self.loss.gap:.3g} above the entropy, infimum over heads "
            f"{self.limit.infimum:.4g}, accuracy {self.accuracy:.1%}\n{margin}"
        )


def last_layer(model: LanguageModel, data: NTPDataset, *, start: LastLayer | None = None) -> LastLayer:
    """Hold the head of a model against the limit of its features.

    Parameters
    ----------
    model : LanguageModel
    data : NTPDataset
        Of the model's features (`features_dataset`).
    start : LastLayer, optional
        Of the same contexts a little earlier in training: the NTP-SVM solver starts at its multipliers (`solve_svm`).

    Returns
    -------
    LastLayer

    Raises
    ------
    UsageError
        If ``model`` or ``data`` is something else, or the data is not as wide as the model, or has other tokens; or
        ``start`` has other contexts or tokens.
    SolverError
        If `predict` could not decide.

    Notes
    -----
    Source: 2402.18551 Theorem 2 (`bias/theorem-2`, `bias/any-data`) with the features frozen.

    Examples
    --------
    >>> from ntp_theory.bridge import features_dataset
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> from ntp_theory.sequence.training import TeacherForcing
    >>> task = PathStar(2, 3, 5)
    >>> model = model_for(task)
    >>> found = last_layer(model, features_dataset(model, task, TeacherForcing(), task.sample(20), places=[1]))
    >>> found.separable, found.limit.infimum, found.share < 0  # 20 contexts in 64 dimensions; an untrained head
    (True, 0.0, True)
    """
    weights = as_decoder(head_weights(model), (as_dataset("data", data).vocab_size, data.dim), data.embeddings)
    limit = predict(data, start=None if start is None else start.limit.svm)
    share = cosine = torch.nan
    margin = 0.0
    subspace, size = data_subspace(limit.reference), float(limit.finite.norm())
    finite_error = float((subspace.project(weights) - limit.finite).norm()) / size if size else torch.nan
    if limit.direction is not None:
        part = subspace.project_complement(weights)
        part = part - part.mean(dim=0)  # what all tokens have in common moves no probability
        length = float(part.norm())
        own = float(limit.reference.pattern.margins(data.embeddings @ part.T).min())
        if length > 0:
            share = own / length / limit.margin
            cosine = float((part * limit.direction).sum() / (length * limit.direction.norm()))
        margin = limit.margin / float(data.embeddings.square().sum(dim=1).mean().sqrt())
    return LastLayer(limit, evaluate(weights, data), accuracy(weights, data), margin, share, cosine, finite_error)


def accuracy(weights: ArrayLike | Tensor, data: NTPDataset) -> float:
    """How often the likeliest token of a decoder is the next one.

    Parameters
    ----------
    weights : Tensor (V, d)
    data : NTPDataset
        Other than those the decoder was found on, to see what it has learned.

    Returns
    -------
    float
        ``sum_j pi_j p_{j,z}`` with z the likeliest token of context j.

    Raises
    ------
    UsageError
        If ``data`` is no dataset, or ``weights`` has the wrong shape or entries that are not finite.

    Examples
    --------
    >>> data = NTPDataset([[1.0], [-1.0]], [[1.0, 0.0], [0.25, 0.75]])
    >>> accuracy([[1.0], [0.0]], data), accuracy([[1.0], [2.0]], data)
    (0.875, 0.125)
    """
    weights = as_decoder(weights, (as_dataset("data", data).vocab_size, data.dim), data.embeddings)
    said = (data.embeddings @ weights.T).argmax(dim=1)
    right = data.pattern.tokens == said[data.pattern.contexts]
    return float((data.weights[data.pattern.contexts] * data.conditionals * right).sum())
