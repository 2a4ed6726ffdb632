"""Every labelled statement of the implicit-bias theory, and which of them no claim checks yet."""

from __future__ import annotations

__all__ = ["IMPLICIT_BIAS", "PENDING"]


def _names(prefix: str, words: str) -> tuple[str, ...]:
    return tuple(f"{prefix}/{word}" for word in words.split())


IMPLICIT_BIAS: tuple[str, ...] = (
    *_names(
        "bias",
        "loss entropy-floor entropy-conditions definition-1 data-subspace definition-2 off-support-decay "
        "proposition-1 nonlinear-extension lemma-1 remark-1 definition-3 theorem-1 theorem-1-boundary "
        "theorem-1-genie theorem-1-lower lemma-2 lemma-3 theorem-2 auxiliary-loss lemma-4 lemma-5 footnote-8 "
        "autoregressive figure-toy figure-a2 a2-replica entropy-dirichlet erratum-E1 erratum-E2 erratum-E3 "
        "erratum-E4 erratum-E5 erratum-E6 erratum-E7 erratum-E8 erratum-E9 erratum-E10 erratum-E11 "
        "erratum-E12 erratum-E13 erratum-E14 erratum-E15 erratum-E16",
    ),
    "steepest/erratum-E17",
    *_names(
        "bias",
        "split converse any-data any-data-lp sharp-gd-expansion sharp-gd-loss sharp-gd-norm sharp-gd-finite "
        "sharp-gd-duals sharp-gd-direction offset log-time-flow direction-certificate lemma-5-modulus "
        "ngd-plateau adam-plateau split-normalised tail-exact ridge-path norm-ball-path svm-structure",
    ),
    "svm/dual",
    *_names(
        "bias",
        "compatibility-count compatibility-exact separability-threshold smoothness strong-growth one-hot",
    ),
    *_names(
        "geometry",
        "ufm-nuclear ufm-limit finite-part lmm gram-collapse symmetric svd-certificate defect-spectral-norm "
        "semantics saxe-dynamics",
    ),
    *_names("attention", "convex-loss graph-svm unification att-svm ngd-polyak two-stage-ngd"),
    *_names("capacity", "theta jacobian-rank linear-decoder"),
    *_names(
        "steepest",
        "setting norm-order proxy lemma-1 lemma-2 lemma-3 lemma-4 descent lemma-5 theorem-1 theorem-2 adam "
        "experiment soft-labels",
    ),
    *_names(
        "classical",
        "soudry ji-telgarsky nacson primal-dual dual-momentum path-equals-gd perm lyu-li cover-wendel",
    ),
)
"""Labels of 2402.18551, of the papers that follow it, and of what is derived from them, in order of appearance."""

PENDING: tuple[str, ...] = (
    *_names(
        "bias",
        "nonlinear-extension erratum-E16",
    ),
    *_names("geometry", "ufm-nuclear ufm-limit finite-part gram-collapse semantics saxe-dynamics"),
    *(label for label in IMPLICIT_BIAS if label.startswith(("attention/", "capacity/"))),
    *_names("classical", "perm cover-wendel"),
)
"""Labels that may be named but have no claim: their subject is not in the library yet, or nothing can be checked."""
