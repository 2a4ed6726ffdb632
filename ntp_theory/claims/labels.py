"""Every labelled statement of the theory, and which of them no claim checks yet."""

from __future__ import annotations

__all__ = ["IMPLICIT_BIAS", "LABELS", "MULTI_TOKEN", "PAPERS", "PATH_STAR_AND_PLANNING", "PENDING"]


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

PATH_STAR_AND_PLANNING: tuple[str, ...] = (
    "pitfalls/small-machines",
    "planning/small-machines",
    *_names(
        "pitfalls",
        "path-star generator serialisation tokenisation arrow-format edge-packed informative-tokens data no-leak "
        "solvable teacher-forcing teacherless reversed whole-sequence-reverse masked first-token-only objectives "
        "clever-hans indecipherable-token chance-level reverse-cascade snowballing plateau depth-match node-count "
        "metrics cpu-setting cpu-repo-serialisation cpu-conclusions models results-paper results-factorization "
        "results-nextlat results-frydenlund in-weights public-code public-code-defects issues cost "
        "frydenlund-2024 frydenlund-2025 other-objectives discrete-diffusion roll-the-dice faq",
    ),
    *_names(
        "planning",
        "gradient-split myopic-descent myopic-optimum myopia-gap local-bonus convergence convex-toy "
        "forward-equality cut-hidden-states cut-keys-values two-definitions code-options bigram synthetic-task "
        "synthetic-model breadcrumbs-control probes measured-gap synthetic-numbers gpt2-numbers pythia-numbers "
        "multiplication public-code public-code-defects cost rofin crossing-path-star crossing-frozen-prefix",
    ),
)
"""Labels of the pitfalls of next-token prediction and of planning for future tokens, in order of appearance."""

MULTI_TOKEN: tuple[str, ...] = (
    *_names(
        "multitoken",
        "loss erratum-factorisation architecture parameter-matched alternatives memory erratum-overhead "
        "self-speculation sequential-heads sequential-gradients table-S7 table-1 table-S2 table-S3 survival "
        "iid-gap other-results induction induction-toy arithmetic composition compute-cost choice-points rejoin "
        "information-identity definition-L2 lemma-L3 erratum-L3-proof relative-information-sign product-heads "
        "chain-residual capacity-decoupling bayes-floor linear neighbours",
    ),
    *_names(
        "speculative",
        "step acceptance-rate expected-tokens walltime operations exact-acceptance parallel-heads "
        "block-verification sample-and-match acceptance-information head-not-optimal greedy-counterexample "
        "greedy-equivalence margin-certificate enumeration mutation-argmax-draft mutation-residual "
        "mutation-shared-r mutation-nucleus-match mutation-hf-32867 chi-square",
    ),
    *_names(
        "medusa",
        "heads medusa-1 medusa-2 tree sparse-tree erratum-acc-rate-fit typical-acceptance argmax-accepted "
        "typical-set-size entropy-smoothing erratum-perfect-draft headline table-1 table-2 table-3 head-accuracy "
        "defect-1 defect-2 defect-3 defect-4 defect-5 defect-6 defect-7",
    ),
    *_names(
        "speculative",
        "code-lingua code-eagle code-llmspeculativesampling code-romsto code-lucidrains",
    ),
)
"""Labels of multi-token prediction, speculative sampling and Medusa, in order of appearance."""

LABELS: tuple[str, ...] = IMPLICIT_BIAS + PATH_STAR_AND_PLANNING + MULTI_TOKEN
"""Every label, in the order of the theory."""

PAPERS: dict[str, tuple[str, ...]] = {
    "bias": IMPLICIT_BIAS,
    "pitfalls": tuple(label for label in PATH_STAR_AND_PLANNING if label.startswith("pitfalls/")),
    "planning": tuple(label for label in PATH_STAR_AND_PLANNING if label.startswith("planning/")),
    "multitoken": MULTI_TOKEN,
}
"""The labels of each line of work."""

PENDING: tuple[str, ...] = (
    "bias/erratum-E16",
    *_names(
        "pitfalls",
        "cpu-setting results-paper results-factorization results-frydenlund in-weights public-code "
        "frydenlund-2024 frydenlund-2025 other-objectives discrete-diffusion roll-the-dice faq",
    ),
    *_names("planning", "public-code rofin"),
    *_names(
        "multitoken",
        "other-results erratum-L3-proof",
    ),
    *_names(
        "medusa",
        "medusa-2 table-3 defect-3 defect-5",
    ),
    *_names("speculative", "code-lingua code-lucidrains"),
)
"""Labels that may be named but have no claim: their subject is not in the library yet, or nothing can be checked."""
