"""What the theory says about one dataset, in words and in JSON: the answer behind ``ntp-theory analyze``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from .checks import Check
from .compare import Comparison, compare
from .conditions import (
    Compatibility,
    Contradiction,
    ExtendedSupport,
    FarkasCertificate,
    Separability,
    check_compatibility,
    check_separability,
    describe_explanation,
    explain,
    extended_support,
)
from .dataset import NTPDataset
from .descent import Trajectory, descend
from .errors import SolverError
from .exact import Proof
from .exact.rationals import flint_module
from .margin import SVMSolution
from .predict import DISTANCE, Limit, predict
from .readings import Overview, overview

__all__ = ["Analysis", "analyze", "default_steps"]

# Residual of a Farkas certificate against its embeddings; twice what `check_separability` lets pass.
ROUNDING = 4e-12
# What the exact proofs are about.
EXACT = {
    "compatibility": "bias/compatibility-exact",
    "separability": "bias/definition-2",
    "extended_support": "bias/any-data-lp",
    "max_margin": "bias/definition-3",
}


@dataclass(frozen=True, eq=False)
class Analysis:
    """Outcome of `analyze`.

    Attributes
    ----------
    data : NTPDataset
    compatibility : Compatibility
    separability : Separability
    limit : Limit or None
        Where gradient descent must end up; None if it could not be computed to the accuracy asked for.
    trajectory : Trajectory
        A short run of gradient descent.
    comparison : Comparison or None
        The run held against the limit, if there is one.
    why_not_separable : FarkasCertificate or None
        The shortest explanation found; None if the data is separable, or too large for a short one to be found.
    why_not_compatible : Contradiction or None
        Likewise for compatibility.
    proofs : dict of str to Proof
        The answers in rational arithmetic, by their names as files; empty if not asked for.
    not_predicted : str
        Why there is no limit; empty if there is one.
    readings : Overview or None
        What the limit rules out, the noise it tolerates, and tokens it cannot tell apart; None without a limit.
    """

    data: NTPDataset
    compatibility: Compatibility
    separability: Separability
    limit: Limit | None
    trajectory: Trajectory
    comparison: Comparison | None
    why_not_separable: FarkasCertificate | None
    why_not_compatible: Contradiction | None
    proofs: dict[str, Proof]
    not_predicted: str
    readings: Overview | None

    @property
    def checks(self) -> list[Check]:
        """The certificates, held against rounding, and the comparison of the run with its limit."""
        found = []
        if (farkas := self.separability.certificate) is not None:
            slack = ROUNDING * float(self.data.embeddings.norm(dim=1).max())
            found.append(
                Check.at_most(
                    "bias/definition-2",
                    bound=0.0,
                    computed=farkas.margin_bound + farkas.violations()["signs"],
                    slack=slack,
                    evidence="certified",
                    source="2402.18551 Definition 2, Farkas' lemma",
                    statement="not separable: no W of norm 1 that satisfies (6a) has a margin above this",
                )
            )
        if (contradiction := self.compatibility.certificate) is not None:
            found.append(
                Check.at_most(
                    "bias/definition-1",
                    bound=contradiction.value,
                    computed=contradiction.residual * float(self.trajectory.norm.max()),
                    evidence="certified",
                    source="2402.18551 Definition 1, Fredholm alternative",
                    statement="not compatible: what rounding lends a decoder as large as the trained one, nats",
                )
            )
        if self.limit is not None and self.limit.direction is not None:
            found.append(
                Check.at_most(
                    "svm/dual",
                    bound=DISTANCE,
                    computed=self.limit.svm.distance_bound() / self.limit.svm.norm,
                    evidence="certified",
                    source="derived",
                    statement="distance to W_mm, relative, by the duality gap",
                )
            )
        for name, proof in self.proofs.items():
            # no failures: an answer that is too large for an exact solve, log-odds that only rounding lets agree
            if proof or not (proof.status == "not certified" or name == "compatibility"):
                words = f"{proof.statement}: {proof.reason}"
                found.append(Check.same(EXACT[name], "proved", proof.status, source="derived", statement=words))
        return found + (self.comparison.checks if self.comparison is not None else [])

    @property
    def holds(self) -> bool:
        """Whether every check holds; that the data is not separable is an answer, not a failure."""
        return all(check.holds for check in self.checks)

    @property
    def hint(self) -> str:
        """What would make the data separable and compatible; empty if it is both."""
        if self.separability.separable and self.compatibility.compatible:
            return ""
        return (
            "linearly independent embeddings make every text separable and compatible (Lemma 1): take random ones "
            f"of at least as many dimensions as there are contexts, --embedding random --dim {self.data.num_contexts}"
        )

    def summary(self) -> str:
        """The analysis in words, a paragraph a question."""
        parts = [
            ("Data", self.data.summary()),
            ("Compatibility", _why(self.compatibility, self.why_not_compatible)),
            ("Separability", _why(self.separability, self.why_not_separable)),
        ]
        if self.limit is not None and self.limit.direction is not None:
            parts.append(("Direction", self.limit.svm.summary()))
        if self.limit is not None:
            parts.append(("Predicted limit", self.limit.summary()))
        if self.readings is not None:
            parts.append(("Readings", self.readings.summary()))
        parts.append(("Gradient descent, measured", self.trajectory.summary()))
        if self.comparison is None:
            parts.append(("Not predicted", self.not_predicted))
        elif self.comparison.note:
            parts.append(("Not compared", self.comparison.note))
        if self.proofs:
            parts.append(("In rational arithmetic", "\n".join(proof.summary() for proof in self.proofs.values())))
        if self.checks:
            parts.append(("Checks", "\n".join(check.line() for check in self.checks)))
        if self.hint:
            parts.append(("Hint", self.hint))
        return "\n\n".join(f"{title}\n" + _indent(text) for title, text in parts)

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready form, certificates complete."""
        data, run, limit = self.data, self.trajectory, self.limit
        contradiction, farkas = self.compatibility.certificate, self.separability.certificate
        no_decoder, no_direction = self.why_not_compatible, self.why_not_separable
        return {
            "data": {
                "contexts": data.num_contexts,
                "tokens": data.vocab_size,
                "dimension": data.dim,
                "occurrences": None if data.counts is None else int(data.counts.sum()),
                "entropy_nats": data.entropy,
                "entropy_bits": data.entropy / math.log(2),
            },
            "compatibility": {
                "compatible": self.compatibility.compatible,
                "residual_nats": self.compatibility.residual,
                "certificate": None if contradiction is None else contradiction.to_dict(),
                "explanation": None if no_decoder is None else no_decoder.to_dict(),
            },
            "separability": {
                "separable": self.separability.separable,
                "margin": limit.margin if limit is not None and self.separability.separable else 0.0,
                "certificate": None if farkas is None else farkas.to_dict(),
                "explanation": None if no_direction is None else no_direction.to_dict(),
                "blocked": [] if farkas is None else _named(farkas.blocked(), "weight"),
            },
            "limit": None if limit is None else limit_to_dict(limit),
            "readings": None if self.readings is None else self.readings.to_dict(),
            "descent": run_to_dict(run),
            "note": self.not_predicted if self.comparison is None else self.comparison.note,
            "hint": self.hint,
            "exact": {
                name: {"statement": proof.statement, "status": proof.status, "reason": proof.reason}
                for name, proof in self.proofs.items()
            },
            "checks": [check.to_dict() for check in self.checks],
            "holds": self.holds,
        }


def analyze(data: NTPDataset, *, steps: int | None = None, exact: bool = False, progress: bool = False) -> Analysis:
    """Conditions with certificates, predicted limit, and a short run of gradient descent held against it.

    Parameters
    ----------
    data : NTPDataset
    steps : int, optional
        Length of the run; `default_steps` if not given.
    exact : bool
        Prove the answers in rational arithmetic too, as far as their size allows (extra ``exact``).
    progress : bool
        Show the progress of the run on a terminal.

    Returns
    -------
    Analysis

    Raises
    ------
    SolverError
        If separability could not be decided.
    UsageError
        If ``exact`` and python-flint is not installed.

    Notes
    -----
    Source: 2402.18551 Definitions 1-3 and Theorem 2 (`bias/definition-1`, `bias/definition-2`, `bias/theorem-2`).

    Examples
    --------
    >>> answer = analyze(NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]]), steps=10)
    >>> answer.limit.case, answer.holds
    ('finite', True)
    """
    if exact:
        flint_module()  # if it is missing, say so before the work
    limit, not_predicted = None, ""
    try:
        limit = predict(data)
    except SolverError as error:  # the conditions are answers of their own
        not_predicted = f"no claim is made about this run: {error}"
    compatibility = check_compatibility(data) if limit is None else limit.compatibility
    separability = check_separability(data) if limit is None else limit.separability
    trajectory = descend(data, steps=default_steps(data) if steps is None else steps, progress=progress)
    comparison = None if limit is None else compare(trajectory, limit)
    no_direction = None if separability.certificate is None else explain(separability.certificate)
    no_decoder = None if compatibility.certificate is None else explain(compatibility.certificate)
    proofs = _proofs(data, compatibility, separability, limit) if exact else {}
    return Analysis(
        data=data,
        compatibility=compatibility,
        separability=separability,
        limit=limit,
        trajectory=trajectory,
        comparison=comparison,
        why_not_separable=no_direction,
        why_not_compatible=no_decoder,
        proofs=proofs,
        not_predicted=not_predicted,
        readings=None if limit is None else overview(limit),
    )


def _proofs(
    data: NTPDataset, compatibility: Compatibility, separability: Separability, limit: Limit | None
) -> dict[str, Proof]:
    """Every answer in rationals; one that is too large for that is not certified, which is no error here."""
    answers: dict[str, Compatibility | Separability | ExtendedSupport | SVMSolution] = {
        "compatibility": compatibility,
        "separability": separability,
    }
    if not separability.separable:
        answers["extended_support"] = extended_support(data)
    if limit is not None and limit.direction is not None:
        answers["max_margin"] = limit.svm
    proofs = {}
    for name, answer in answers.items():
        try:
            proofs[name] = answer.verify(exact=True)
        except SolverError as error:
            proofs[name] = Proof(name.replace("_", " "), "not certified", str(error), None)
    return proofs


def default_steps(data: NTPDataset) -> int:
    """Steps that take some seconds: from 100 on large data to 10,000 on small.

    Examples
    --------
    >>> default_steps(NTPDataset([[1.0]], [[0.5, 0.5]]))
    10000
    """
    work = data.num_contexts * data.vocab_size * data.dim  # multiplications of one product with the embeddings
    return min(10_000, max(100, 10_000_000_000 // work))


def limit_to_dict(limit: Limit) -> dict[str, Any]:
    """A prediction in JSON-ready form, without its matrices.

    Examples
    --------
    >>> limit_to_dict(predict(NTPDataset([[2.0]], [[1.0, 0.0]])))["case"]
    'separable-compatible'
    """
    return {
        "case": limit.case,
        "infimum_nats": limit.infimum,
        "escaping_pairs": int((~limit.support).sum()),
        "finite_norm": float(limit.finite.norm()),
        "direction_norm": limit.svm.norm,
        "distance_bound": limit.svm.distance_bound(),
        "loss_constant": limit.loss_constant,
        "finite_constant": float(limit.finite_constant.norm()),
        "burn_in": limit.burn_in if limit.direction is not None else None,
        "support_vectors": _named(limit.svm.support_vectors(), "multiplier"),
    }


def run_to_dict(run: Trajectory) -> dict[str, Any]:
    """A run in JSON-ready form, without its decoders; losses in nats above the entropy.

    Examples
    --------
    >>> run_to_dict(descend(NTPDataset([[1.0]], [[0.5, 0.5]]), steps=1))["steps"]
    [0, 1]
    """
    log_times = [s if math.isfinite(s) else None for s in run.log_times.tolist()]  # JSON has no -inf for the start
    moments = {"steps": run.times.tolist()} if run.log_derivative is None else {"log_times": log_times}
    return {
        "method": run.method,
        "step_size": run.step_size,
        "evidence": "measured",
        **moments,
        "gap_nats": run.gap.tolist(),
        "in_support_nats": run.in_support.tolist(),
        "tail_nats": run.tail.tolist(),
        "norm": run.norm.tolist(),
    }


def _why(answer: Compatibility | Separability, explanation: Contradiction | FarkasCertificate | None) -> str:
    """The answer in words, by its explanation where there is one."""
    if explanation is None:
        return answer.summary()
    words, whole = describe_explanation(explanation), answer.certificate
    if isinstance(whole, FarkasCertificate):
        pairs, contexts = int(whole.off_support.sum()), len(whole.contexts[whole.off_support].unique())
        words += (
            f"\n  in all, at least {pairs} tokens that never follow, after {contexts} contexts, cannot be pushed below "
            "those that do without spoiling the rest"
        )
    return words


def _named(pairs: list[tuple[str, str, float]], value: str) -> list[dict[str, Any]]:
    return [{"context": context, "token": token, value: number} for context, token, number in pairs]


def _indent(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())
