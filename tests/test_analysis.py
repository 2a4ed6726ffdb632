"""What `analyze` says on 30 contexts of the documentation text, held against brute force with no code in common."""

from __future__ import annotations

import json
import sys

import cvxpy
import numpy as np
import pytest
import scipy.optimize
import scipy.sparse

from ntp_theory import analysis, construct
from ntp_theory.analysis import Analysis, analyze, default_steps
from ntp_theory.cli import main
from ntp_theory.construct import DESIGNED, designed
from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import SolverError, UsageError
from ntp_theory.exact import rationals
from proofs_check.__main__ import main as recheck

TEXT = construct.documentation_text()
# d < m on the first two, where words overlap; additive contexts are dependent although d > m; d > m independent
CUTS = {
    "few dimensions": dict(dim=8),
    "few dimensions, letters": dict(dim=6, tokenizer="character"),
    "additive": dict(dim=32, embedding="additive"),
    "many dimensions": dict(dim=32),
}


def cut(name: str) -> NTPDataset:
    return construct.from_text(TEXT, max_contexts=30, vocab_size=40, **CUTS[name])


@pytest.fixture(scope="module", params=CUTS)
def answer(request: pytest.FixtureRequest) -> Analysis:
    return analyze(cut(request.param), steps=50)


class BruteForce:
    """Linear forms in the entries of W (row-major), one row a condition, straight from the definitions."""

    def __init__(self, data: NTPDataset) -> None:
        self.h, self.mask = data.embeddings.numpy(), data.support.numpy()
        self.m, self.v = self.mask.shape
        self.size = self.v * self.h.shape[1]
        p = data.probabilities.to_dense().numpy()
        equal, log_odds, margins, self.pairs = [], [], [], []
        for j in range(self.m):
            first, *others = np.flatnonzero(self.mask[j])
            for z in others:
                equal.append(self.form(j, z, first))
                log_odds.append(np.log(p[j, z] / p[j, first]))
            for v in np.flatnonzero(~self.mask[j]):
                margins.append(self.form(j, first, v))
                self.pairs.append((j, int(v)))
        self.equal, self.margins = (
            scipy.sparse.csr_array(np.array(rows).reshape(len(rows), self.size)) for rows in (equal, margins)
        )
        self.log_odds = np.array(log_odds)

    def form(self, j: int, z: int, v: int) -> np.ndarray:
        row = np.zeros((self.v, self.h.shape[1]))
        row[z] += self.h[j]
        row[v] -= self.h[j]
        return row.ravel()

    def best(self, gain: np.ndarray, least: np.ndarray, extra: int = 0) -> float:
        """Largest ``gain @ (W, t)`` with |W| <= 1, equal in-support logits, and all margins at least t or 0."""
        found = scipy.optimize.linprog(
            -gain,
            A_eq=scipy.sparse.hstack([self.equal, scipy.sparse.csr_array((self.equal.shape[0], extra))]),
            b_eq=np.zeros(self.equal.shape[0]),
            A_ub=scipy.sparse.hstack([-self.margins, least]),
            b_ub=np.zeros(self.margins.shape[0]),
            bounds=[(-1, 1)] * self.size + [(None, None)] * extra,
            method="highs",
        )
        assert found.status == 0, found.message
        return -found.fun

    def largest_smallest_margin(self) -> float:
        column = np.ones((self.margins.shape[0], 1))
        return self.best(np.append(np.zeros(self.size), 1.0), column, extra=1)

    def largest_sum(self, pairs: set[tuple[int, int]]) -> float:
        """Largest sum of the margins of some pairs over the W that hurt no pair; 0 exactly if each must be 0."""
        chosen = np.array([pair in pairs for pair in self.pairs], dtype=float)
        return self.best(self.margins.T @ chosen, np.zeros((len(self.pairs), 0)))


# Feasibility tolerance of HiGHS, times entries of W of size 1 and at most a few thousand conditions.
LP_ERROR = 1e-7 * 1e3


def test_separability_is_what_a_linear_program_says(answer: Analysis) -> None:
    largest = BruteForce(answer.data).largest_smallest_margin()
    assert answer.separability.separable == (largest > LP_ERROR)
    assert answer.separability.separable or largest < LP_ERROR


def test_every_blocked_pair_is_blocked(answer: Analysis) -> None:
    if answer.separability.separable:
        return
    data, certificate = answer.data, answer.separability.certificate
    named = certificate.blocked()
    assert named
    contexts = [data.context_name(j) for j in range(data.num_contexts)]
    tokens = [data.token_name(v) for v in range(data.vocab_size)]
    pairs = {(contexts.index(context), tokens.index(token)) for context, token, _ in named}
    brute = BruteForce(data)
    assert pairs <= set(brute.pairs)
    # none may be negative, so their sum is 0 exactly if each is
    assert brute.largest_sum(pairs) == pytest.approx(0.0, abs=LP_ERROR)


def test_a_pair_that_is_not_blocked_can_escape() -> None:
    """The linear program can say otherwise: a token that no context is followed by escapes everywhere."""
    brute = BruteForce(designed("partially-separable").data)
    assert brute.largest_sum({(0, 1), (1, 0)}) == pytest.approx(0.0, abs=LP_ERROR)
    assert brute.largest_sum({(0, 2)}) > 1.0


def test_compatibility_is_what_a_rank_says(answer: Analysis) -> None:
    brute = BruteForce(answer.data)
    matrix = brute.equal.toarray()
    w, *_ = np.linalg.lstsq(matrix, brute.log_odds, rcond=1e-10)
    solved = np.abs(matrix @ w - brute.log_odds).max() < 1e-8
    ranks = [np.linalg.matrix_rank(a, tol=1e-8) for a in (matrix, np.c_[matrix, brute.log_odds])]
    assert answer.compatibility.compatible == solved == (ranks[0] == ranks[1])
    if solved:
        found = answer.compatibility.solution.numpy().ravel()
        np.testing.assert_allclose(found, w, atol=1e-9)  # both are the solution of smallest norm


def test_direction_is_what_a_quadratic_program_says() -> None:
    answer = analyze(cut("many dimensions"), steps=50)
    brute = BruteForce(answer.data)
    w = cvxpy.Variable(brute.size)
    constraints = [brute.equal @ w == 0, brute.margins @ w >= 1]
    cvxpy.Problem(cvxpy.Minimize(cvxpy.sum_squares(w)), constraints).solve(solver="CLARABEL")
    distance = np.linalg.norm(w.value - answer.limit.direction.numpy().ravel())
    # Clarabel stops at a relative gap of 1e-8, whose root bounds its distance; ours has a certificate
    assert distance <= 2e-4 * answer.limit.svm.norm + answer.limit.svm.distance_bound()
    slack = brute.margins @ w.value - 1
    names = {(context, token) for context, token, _ in answer.limit.svm.support_vectors()}
    far = [brute.pairs[i] for i in np.flatnonzero(slack > 1e-2)]
    data = answer.data
    assert names and not names & {(data.context_name(j), data.token_name(v)) for j, v in far}


def test_words_and_dictionary_agree(answer: Analysis) -> None:
    words, document = answer.summary(), json.loads(json.dumps(answer.to_dict()))
    assert answer.holds and all(check["holds"] for check in document["checks"]) and document["holds"]
    assert ("not NTP-separable" in words) != document["separability"]["separable"]
    assert ("not NTP-compatible" in words) != document["compatibility"]["compatible"]
    assert document["data"]["entropy_bits"] == pytest.approx(answer.data.entropy / np.log(2), rel=1e-15)
    assert document["data"]["occurrences"] == int(answer.data.counts.sum())
    assert document["descent"]["gap_nats"][-1] < document["descent"]["gap_nats"][0]
    assert document["readings"]["exclusions"]["ruled_out"] == int((~answer.limit.support).sum())
    assert document["readings"]["exclusions"]["never_seen_but_kept"] == int(
        (answer.limit.support & ~answer.data.support).sum()
    )
    assert "Readings" in words and f"{document['readings']['token_groups']['groups']} groups" in words
    for pair in document["limit"]["support_vectors"][:8]:
        assert f"after {pair['context']}: {pair['token']} " in words
    for question in ("separability", "compatibility"):
        part = document[question]
        assert (part["explanation"] is None) == (part["certificate"] is None)
        if part["explanation"] is not None:
            entries, whole = part["explanation"]["entries"], part["certificate"]["entries"]
            assert len(entries) < len(whole)
            used = {pair["context"] for pair in entries}
            assert f"{len(used)} contexts and {len({pair['token'] for pair in entries})} tokens suffice" in words
            assert sum(f" x after {name}: " in words for name in used) >= min(8, len(used))
    if not answer.separability.separable:
        assert document["hint"] in words
        assert "Lemma 1" in words and f"--dim {answer.data.num_contexts}" in words


def test_explanations_are_held_to_the_linear_program(answer: Analysis) -> None:
    """The contexts of an explanation alone are not separable, as the brute force decides."""
    if answer.separability.separable:
        return
    kept = answer.why_not_separable.contexts.unique().numpy()
    data = answer.data
    part = NTPDataset(data.embeddings.numpy()[kept], data.probabilities.to_dense().numpy()[kept])
    assert BruteForce(part).largest_smallest_margin() < LP_ERROR


def test_what_cannot_be_predicted_gets_its_certificates_and_no_claim(monkeypatch) -> None:
    def fail(data):
        raise SolverError("too hard")

    monkeypatch.setattr(analysis, "predict", fail)
    data = construct.from_text(TEXT, max_contexts=60, vocab_size=50, dim=20)
    answer = analyze(data, steps=5)
    words, document = answer.summary(), answer.to_dict()
    assert answer.limit is None and answer.holds and len(answer.checks) == 2
    assert (
        document["readings"] is None
        and document["limit"] is None
        and "no claim is made" in document["note"]
        and document["note"] in words
    )
    assert "too hard" in words and "cannot be pushed below" in words and "measured" in words


@pytest.mark.parametrize("name", DESIGNED)
def test_designed_cases(name: str) -> None:
    case = designed(name)
    answer = analyze(case.data, steps=20)
    assert answer.separability.separable == case.separable
    assert answer.compatibility.compatible == case.compatible
    assert answer.holds
    assert (answer.hint == "") == (case.separable and case.compatible)
    assert answer.limit.infimum == pytest.approx(case.infimum, rel=1e-12)
    assert (answer.limit.direction is None) == (case.direction is None)


def test_a_false_certificate_is_found_out() -> None:
    answer = analyze(designed("overlap").data, steps=5)
    farkas = answer.separability.certificate
    for change in (lambda c: -c, lambda c: c * (1 + 1e-6 * (c == c.max()))):
        object.__setattr__(farkas, "coefficients", change(farkas.coefficients))
        object.__setattr__(farkas, "residual", farkas.violations()["stationarity"])
        assert not answer.holds


def test_steps_follow_the_size_of_the_data() -> None:
    assert default_steps(designed("overlap").data) == 10_000
    assert default_steps(construct.random(500, 100, 4000, 1)) == 100
    with pytest.raises(UsageError, match="steps is -1"):
        analyze(designed("overlap").data, steps=-1)


def test_exact_proofs_are_checks_and_files(tmp_path, capsys):
    """Each answer is proved, and its certificate stands alone; what is too large is said, and is no failure."""
    text = tmp_path / "text.txt"
    text.write_text("a b c a b d a c b d b a c d a b " * 3, encoding="utf-8")
    common = ["analyze", str(text), "--embedding", "additive", "--dim", "2", "--steps", "10"]
    assert main([*common, "--exact", "--json", "--out", str(tmp_path)]) == 0
    exact = json.loads(capsys.readouterr().out)["exact"]
    assert {"compatibility", "separability"} <= set(exact)
    assert {proof["status"] for proof in exact.values()} == {"proved"}
    files = sorted((tmp_path / "certificates").iterdir())
    assert [file.stem for file in files] == sorted(exact)
    assert recheck(["certificate", *map(str, files)]) == 0


def test_an_exact_proof_that_is_too_large_is_no_failure(monkeypatch):
    monkeypatch.setattr(rationals, "LARGEST", 0)
    found = analyze(construct.tiny(), steps=10, exact=True)
    assert found.proofs["max_margin"].status == "not certified" and found.holds
    assert "at most 0 are tried" in found.summary()


def test_a_missing_extra_is_named_before_the_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "flint", None)
    monkeypatch.setattr(analysis, "predict", lambda data: pytest.fail("work was done"))
    with pytest.raises(UsageError, match=r"install ntp-theory\[exact\]"):
        analyze(construct.tiny(), steps=10, exact=True)
