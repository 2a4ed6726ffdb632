"""Conditions, the NTP-SVM, predictions and comparisons."""

from __future__ import annotations

import math

import numpy as np
import torch

import ntp_theory as ntp
from ntp_theory import NTPDataset
from ntp_theory.conditions import FarkasCertificate, wendel_probability
from ntp_theory.errors import NotSeparableError, UsageError

from .bad import DATA, Bad, limit, run, solution

NAN, INF = math.nan, math.inf
OVERLAP = NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]])

CONDITIONS = [
    Bad(
        "compatibility of no data", lambda _: ntp.check_compatibility(None), UsageError, ("data", "None", "NTPDataset")
    ),
    Bad("compatibility of a path", lambda f: ntp.check_compatibility(f), UsageError, ("data", "NTPDataset")),
    Bad(
        "separability of arrays",
        lambda _: ntp.check_separability([[1.0]]),
        UsageError,
        ("data", "[[1.0]]", "NTPDataset"),
    ),
    Bad(
        "separability in no time",
        lambda _: ntp.check_separability(DATA, max_iterations=0),
        UsageError,
        ("max_iterations", "0"),
    ),
    Bad(
        "separability in half steps",
        lambda _: ntp.check_separability(DATA, max_iterations=1.5),
        UsageError,
        ("max_iterations", "1.5"),
    ),
    Bad("supports of no data", lambda _: ntp.extended_support({}), UsageError, ("data", "{}", "NTPDataset")),
    Bad("an explanation of nothing", lambda _: ntp.explain(None), UsageError, ("certificate", "None")),
    Bad(
        "an explanation in words of nothing",
        lambda _: ntp.describe_explanation("no"),
        UsageError,
        ("certificate", "no"),
    ),
    Bad(
        "a tolerance of zero",
        lambda _: ntp.check_compatibility(DATA).verify(0.0),
        UsageError,
        ("tol", "0.0", "positive"),
    ),
    Bad(
        "a tolerance that is none",
        lambda _: ntp.check_separability(DATA).verify(NAN),
        UsageError,
        ("tol", "nan", "positive"),
    ),
    Bad(
        "a tolerance in words",
        lambda _: ntp.extended_support(DATA).verify("tight"),
        UsageError,
        ("tol", "tight", "positive"),
    ),
    Bad(
        "multipliers of another shape",
        lambda _: FarkasCertificate.from_matrix(torch.zeros(1, 1), DATA),
        UsageError,
        ("multipliers", "(1, 1)", "(2, 3)"),
    ),
    Bad("forests of no edges", lambda _: ntp.forest_decomposition(3, 2), UsageError, ("edges", "3")),
    Bad("forests of loops", lambda _: ntp.forest_decomposition([(1, 1)], 2), UsageError, ("edges[0]", "(1, 1)")),
    Bad("forests of names", lambda _: ntp.forest_decomposition([("a", "b")], 2), UsageError, ("edges[0]",)),
    Bad("no forests", lambda _: ntp.forest_decomposition([(0, 1)], 0), UsageError, ("dim", "0")),
    Bad("the rank in no dimension", lambda _: ntp.generic_rank([(0, 1)], -1), UsageError, ("dim", "-1")),
    Bad("no draws", lambda _: ntp.separability_probability(3, 2, 2, 1, draws=0), UsageError, ("draws", "0")),
    Bad(
        "full confidence",
        lambda _: ntp.separability_probability(3, 2, 2, 1, confidence=1.0),
        UsageError,
        ("confidence", "1.0"),
    ),
    Bad("no workers", lambda _: ntp.separability_probability(3, 2, 2, 1, workers=0), UsageError, ("workers", "0")),
    Bad("Wendel's points in words", lambda _: wendel_probability("many", 2), UsageError, ("num_points", "many")),
    Bad(
        "Wendel's heuristic without tokens",
        lambda _: ntp.wendel_heuristic(1, 2, 2, 5),
        UsageError,
        ("support_size", "5"),
    ),
    Bad("a sweep of nothing callable", lambda _: ntp.sweep(3, [1]), UsageError, ("function", "3")),
    Bad("a sweep over a number", lambda _: ntp.sweep(print, 3), UsageError, ("jobs", "3")),
    Bad("a sweep in batches of zero", lambda _: ntp.sweep(print, [1], batch=0), UsageError, ("batch", "0")),
]

SVM = [
    Bad("no data", lambda _: ntp.solve_svm(None), UsageError, ("data", "None", "NTPDataset")),
    Bad("a tensor for data", lambda _: ntp.solve_svm(torch.zeros(2)), UsageError, ("data", "NTPDataset")),
    Bad("data that overlaps", lambda _: ntp.solve_svm(OVERLAP), NotSeparableError, ("not NTP-separable",)),
    Bad(
        "an unknown method", lambda _: ntp.solve_svm(DATA, method="magic"), UsageError, ("method", "'magic'", "'dual'")
    ),
    Bad("a method that is none", lambda _: ntp.solve_svm(DATA, method=None), UsageError, ("method", "None")),
    Bad("a method that cannot be hashed", lambda _: ntp.solve_svm(DATA, method=[]), UsageError, ("method", "[]")),
    Bad("an unknown norm", lambda _: ntp.solve_svm(DATA, norm="taxi"), UsageError, ("norm", "taxi")),
    Bad("a norm by number", lambda _: ntp.solve_svm(DATA, norm=2), UsageError, ("norm", "2")),
    Bad("a norm of p below 1", lambda _: ntp.margin.Norm("entrywise", 0.5), UsageError, ("p", "0.5")),
    Bad("a norm of an unknown family", lambda _: ntp.margin.Norm("fancy", 2.0), UsageError, ("family", "fancy")),
    Bad("no tolerance", lambda _: ntp.solve_svm(DATA, tol=0.0), UsageError, ("tol", "0.0")),
    Bad("a NaN tolerance", lambda _: ntp.solve_svm(DATA, tol=NAN), UsageError, ("tol", "nan")),
    Bad("a tolerance beyond doubles", lambda _: ntp.solve_svm(DATA, tol=1e-300), UsageError, ("tol", "1e-300")),
    Bad("no iterations", lambda _: ntp.solve_svm(DATA, max_iterations=0), UsageError, ("max_iterations", "0")),
    Bad(
        "a refinement that is no yes or no", lambda _: ntp.solve_svm(DATA, refine="yes"), UsageError, ("refine", "yes")
    ),
    Bad(
        "an unknown solver",
        lambda _: ntp.solve_svm(DATA, method="cvxpy", solver="ORACLE"),
        UsageError,
        ("solver", "ORACLE"),
    ),
    Bad(
        "a solver for the own method",
        lambda _: ntp.solve_svm(DATA, method="dual", solver="CLARABEL"),
        UsageError,
        ("solver",),
    ),
    Bad("several of no data", lambda _: ntp.solve_svms(3), UsageError, ("datasets", "3")),
    Bad(
        "several with one that is none",
        lambda _: ntp.solve_svms([DATA, None]),
        UsageError,
        ("datasets[1]", "None", "NTPDataset"),
    ),
    Bad("a path of no data", lambda _: list(ntp.solve_svm_path(None)), UsageError, ("data", "None", "NTPDataset")),
    Bad("a path of sizes above the data", lambda _: list(ntp.solve_svm_path(DATA, [99])), UsageError, ("sizes", "99")),
    Bad("a path of sizes in words", lambda _: list(ntp.solve_svm_path(DATA, "all")), UsageError, ("sizes",)),
    Bad("a solution held to nothing", lambda _: solution().verify(-1.0), UsageError, ("tol", "-1.0")),
]

PREDICT = [
    Bad("no data", lambda _: ntp.predict(None), UsageError, ("data", "None", "NTPDataset")),
    Bad("a text for data", lambda _: ntp.predict("to be or not to be"), UsageError, ("data", "to be", "NTPDataset")),
    Bad("a matrix for data", lambda _: ntp.predict(np.eye(2)), UsageError, ("data", "[0., 1.]", "NTPDataset")),
    Bad("no tolerance", lambda _: ntp.predict(DATA, tol=0), UsageError, ("tol", "0")),
    Bad("a negative tolerance", lambda _: ntp.predict(DATA, tol=-1e-3), UsageError, ("tol", "-0.001")),
    Bad("a tolerance in words", lambda _: ntp.predict(DATA, tol="tight"), UsageError, ("tol", "tight")),
    Bad("the decoder after no steps", lambda _: limit().decoder(0), UsageError, ("steps", "0", "positive")),
    Bad("the decoder after NaN steps", lambda _: limit().decoder(NAN), UsageError, ("steps", "nan")),
    Bad("the decoder of steps of no length", lambda _: limit().decoder(5, 0.0), UsageError, ("step_size", "0.0")),
    Bad("a plateau of steps without end", lambda _: limit().plateau(INF), UsageError, ("step_size", "inf")),
    Bad("a ridge that is no number", lambda _: limit().ridge_reach(NAN), UsageError, ("log_ridge", "nan")),
    Bad("a ridge in words", lambda _: limit().ridge_reach("small"), UsageError, ("log_ridge", "small")),
    Bad("a comparison without a run", lambda _: ntp.compare(None, limit()), UsageError, ("trajectory", "None")),
    Bad("a comparison without a limit", lambda _: ntp.compare(run(), None), UsageError, ("limit", "None")),
    Bad("a comparison the wrong way round", lambda _: ntp.compare(limit(), run()), UsageError, ("trajectory",)),
    Bad(
        "a comparison with another dataset's limit",
        lambda _: ntp.compare(run(), ntp.predict(OVERLAP)),
        UsageError,
        ("limit",),
    ),
    Bad(
        "a check of unknown evidence",
        lambda _: ntp.Check.same("bias/split", 1, 1, evidence="gut feeling"),
        UsageError,
        ("evidence", "gut feeling"),
    ),
    Bad(
        "a check that contradicts itself",
        lambda _: ntp.Check("a", 1, 2, 1.0, 0.5, True, "exact"),
        UsageError,
        ("holds=True", "error=1.0"),
    ),
]

CLAIMS = [
    Bad("an unknown label", lambda _: ntp.claims.check("no-such-theorem"), UsageError, ("no-such-theorem",)),
    Bad("a label that is none", lambda _: ntp.claims.check(None), UsageError, ("label", "None")),
    Bad(
        "an unknown budget",
        lambda _: ntp.claims.check("bias/split", budget="endless"),
        UsageError,
        ("budget", "endless", "quick"),
    ),
    Bad("the record of an unknown label", lambda _: ntp.claims.record("é"), UsageError, ("é",)),
    Bad("labels of a number", lambda _: ntp.claims.labels(3), UsageError, ("prefix", "3")),
]
