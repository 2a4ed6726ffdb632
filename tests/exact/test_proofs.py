"""Every answer is proved in rationals, its certificate passes the independent checker, and wrong ones do not."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ntp_theory as ntp
from ntp_theory.claims.bias.definitions import strict_pairs
from ntp_theory.claims.rational import is_compatible
from ntp_theory.conditions import Contradiction, ExtendedSupport, FarkasCertificate
from ntp_theory.construct import DESIGNED, designed, documentation_text, from_text, sep_incompat
from ntp_theory.dataset import NTPDataset
from ntp_theory.exact import Proof, compatible, prove_max_margin, rationals
from ntp_theory.support import SupportPattern
from ntp_theory.testing import datasets
from proofs_check.__main__ import main as recheck

FEW = settings(max_examples=25)


def rechecked(proof, folder):
    """Whether the checker, which shares no code with the library, accepts the saved certificate."""
    return recheck(["certificate", str(proof.save(folder / "certificate.json"))]) == 0


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@st.composite
def integer_datasets(draw):
    """Counts up to 4 on embeddings with entries up to 2, no two the same."""
    d, v = draw(st.integers(1, 3)), draw(st.integers(2, 4))
    vectors = st.tuples(*[st.integers(-2, 2)] * d)
    h = draw(st.lists(vectors, min_size=1, max_size=5, unique=True))
    row = st.lists(st.integers(0, 4), min_size=v, max_size=v).filter(any)
    return NTPDataset.from_counts([list(map(float, x)) for x in h], [draw(row) for _ in h])


@FEW
@given(data=datasets())
def test_conditions(folder, data):
    """The exact answer on separability and on the extended supports; on compatibility whatever it is."""
    compatibility = ntp.check_compatibility(data, exact=True)
    assert compatibility.compatible == bool(compatibility.proof)
    separability, extended = ntp.check_separability(data, exact=True), ntp.extended_support(data, exact=True)
    assert separability.proof.document["statement"] == ("separable" if separability.separable else "not separable")
    assert separability.separable == (extended.certificate is None)
    for answer in (compatibility, separability, extended):
        assert rechecked(answer.proof, folder)


@FEW
@given(data=datasets(max_contexts=4, max_vocab_size=4))
def test_max_margin(folder, data):
    """The NTP-SVM in rationals; ``||W_mm||^2`` is that of the float solution to its distance bound."""
    solution = ntp.predict(data).svm
    proof = solution.verify(exact=True)
    assert proof and rechecked(proof, folder)
    numerator, _, denominator = proof.document["proof"]["norm_squared"].partition("/")
    norm = (int(numerator) / int(denominator or 1)) ** 0.5
    assert abs(norm - solution.norm) <= solution.distance_bound() + 1e-15 * norm


@given(integer_datasets())
def test_against_other_solvers(data):
    """Compatibility against relations found by sympy, extended supports against the linear program as it stands."""
    assert ntp.check_compatibility(data, exact=True).compatible == is_compatible(data)
    assert torch.equal(strict_pairs(data) > 0.5, ~ntp.extended_support(data, exact=True).support)


@pytest.mark.parametrize("name", DESIGNED)
def test_designed_cases(name):
    case = designed(name)
    assert ntp.check_compatibility(case.data, exact=True).compatible == case.compatible
    assert ntp.check_separability(case.data, exact=True).separable == case.separable
    assert ntp.extended_support(case.data, exact=True).proof


def test_recorded_relation():
    """SEP-INCOMPAT: ``4 * 3/7 * 13/7 = 156/49``, so the relation misses by log(156/49) over six coefficients."""
    answer = ntp.check_compatibility(sep_incompat(), exact=True)
    assert answer.certificate.value == pytest.approx(math.log(156 / 49) / 6, rel=1e-14)


def test_text():
    """Two-word contexts of real text: dense certificates are made sparse, blocked pairs proved two tokens at a time."""
    data = from_text(
        documentation_text(), context_length=2, embedding="additive", dim=16, vocab_size=30, max_contexts=60
    )
    answer, extended = ntp.check_separability(data), ntp.extended_support(data)
    assert len(answer.certificate.coefficients) > 600
    assert len(answer.verify(exact=True).document["proof"]["multipliers"]) < 100
    proof = extended.verify(exact=True)
    assert proof and len(proof.document["proof"]["blocked"]) > 1


def test_rounding_decides_compatibility_of_floats():
    """Floats next to 0.3 and 0.7 are not in the ratio 3/7, nor are their squares in its square; counts are."""
    h = [[1.0], [2.0]]
    counts = NTPDataset.from_counts(h, [[3, 7], [9, 49]])
    floats = NTPDataset(h, [[0.3, 0.7], [9 / 58, 49 / 58]])
    for data in (counts, floats):
        assert ntp.check_compatibility(data).compatible
    assert ntp.check_compatibility(counts, exact=True).compatible
    answer = ntp.check_compatibility(floats, exact=True)
    assert not answer.compatible and 0 < answer.residual < 1e-15


# Hard data.


@pytest.mark.parametrize("primes", [rationals.PRIMES, (2**61 - 1, *rationals.PRIMES)])
def test_a_prime_that_the_data_conspires_against_changes_no_answer(monkeypatch, folder, primes):
    """2^61 is 1 modulo 2^61 - 1, which makes independent embeddings look equal."""
    monkeypatch.setattr(rationals, "PRIMES", primes)
    monkeypatch.setattr(compatible, "PRIMES", primes)
    h = [[1.0, 2.0**61], [1.0, 1.0]]
    answer = ntp.check_compatibility(NTPDataset.from_counts(h, [[2, 1], [3, 1]]), exact=True)
    assert answer.compatible and rechecked(answer.proof, folder)
    data = NTPDataset(h, [[1.0, 0.0], [0.0, 1.0]])
    assert ntp.check_separability(data, exact=True).separable


def test_small_multipliers_do_not_move_large_ones(folder):
    """The multiplier of the third context is 2^-34 of the others, and so is its rounding error."""
    h = [[1.0, 1.0], [-1.0, -1.0 + 2**-34], [0.0, -1.0]]
    answer = ntp.check_separability(NTPDataset(h, [[1.0, 0.0]] * 3))
    assert not answer.separable
    proof = answer.verify(exact=True)
    assert proof and rechecked(proof, folder)


@pytest.mark.parametrize("k", range(1, 9))
def test_constraints_that_are_tied_up_to_rounding(folder, k):
    """Three embeddings on a line but for rounding: no decoder meets all three margins with equality."""
    a, b = [k / 9, 1 - k / 9], [0.7, 0.3]
    solution = ntp.solve_svm(NTPDataset([a, b, [b[0] - a[0], b[1] + a[1]]], [[1.0, 0.0]] * 3))
    proof = solution.verify(exact=True)
    assert proof and rechecked(proof, folder)


def test_large_embeddings_of_small_margin(folder):
    data = NTPDataset.from_counts([[2.0**18, -(2.0**18)], [2.0**-7, -(2.0**-7)]], [[0, 2, 0, 2], [0, 3, 0, 0]])
    proof = ntp.predict(data).svm.verify(exact=True)
    assert proof and rechecked(proof, folder)


# Wrong certificates.


@FEW
@given(datasets("dependent", max_contexts=4, max_vocab_size=3, max_dim=2), st.data())
def test_one_changed_multiplier_is_refuted(data, draw):
    certificate = ntp.check_separability(data).certificate
    assume(certificate is not None)
    norms = data.embeddings.norm(dim=1)
    terms = certificate.coefficients.abs() * torch.where(norms > 0, norms, 1.0)[certificate.contexts]
    n = draw.draw(st.sampled_from((terms > 1e-3 * terms.max()).nonzero()[:, 0].tolist()))
    changed = certificate.coefficients.clone()
    changed[n] *= draw.draw(st.sampled_from([-1.0, 0.5, 2.0]))
    assert certificate.verify(exact=True)
    assert replace(certificate, coefficients=changed).verify(exact=True).status == "refuted"
    assert not replace(certificate, coefficients=changed).verify()


def test_a_swapped_inequality_is_refuted():
    """Positive multipliers off the supports prove nothing, although the combination vanishes."""
    data = NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]])
    certificate = ntp.check_separability(data).certificate
    swapped = replace(certificate, coefficients=-certificate.coefficients)
    assert swapped.verify(exact=True).status == "refuted"
    assert "not negative" in swapped.verify(exact=True).reason


def test_multipliers_on_the_supports_prove_nothing():
    data = NTPDataset([[1.0], [2.0]], [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0]])
    c = torch.tensor([2.0, -2.0, -1.0, 1.0]).double()
    tokens = torch.tensor([0, 1, 0, 1])
    inside = FarkasCertificate(torch.tensor([0, 0, 1, 1]), tokens, c, torch.zeros(4, dtype=torch.bool), 0.0, data)
    assert inside.verify(exact=True).status == "refuted"


@FEW
@given(datasets("independent", max_contexts=4, max_vocab_size=4, max_dim=5), st.data())
def test_one_changed_entry_of_a_direction_is_caught(data, draw):
    assume(data.pattern.num_off_support)
    answer = ntp.check_separability(data)
    changed = answer.direction.clone()
    v, k = draw.draw(st.integers(0, data.vocab_size - 1)), draw.draw(st.integers(0, data.dim - 1))
    assume(float(data.embeddings[:, k].abs().max()) > 0.1)
    changed[v, k] += 10.0 * float(changed.abs().max()) + 1.0
    proof = replace(answer, direction=changed).verify(exact=True)
    if proof:  # the change may leave a separating direction; then the proof is of that
        exact = [[0.0] * data.dim if row is None else [float(_value(x)) for x in row] for row in _rows(proof)]
        moved = torch.tensor(exact).double()
        common = (moved - changed)[0]
        assert torch.allclose(moved - common, changed, rtol=0, atol=2e-6 * float(changed.abs().max()))
        assert replace(answer, direction=changed * 2 / _margin(data, changed)).verify()
    else:
        assert not replace(answer, direction=changed / max(_margin(data, changed), 1e-3)).verify()


def _rows(proof):
    return proof.document["proof"]["direction"]


def _value(words):
    numerator, _, denominator = words.partition("/")
    return int(numerator) / int(denominator or 1)


def _margin(data, direction):
    return float(data.pattern.margins(data.embeddings @ direction.T).min())


@FEW
@given(datasets(max_contexts=4, max_vocab_size=4, max_dim=3), st.data())
def test_a_support_wrong_by_one_token_is_caught(data, draw):
    """One token more or less in the extended supports: no certificate of the true ones fits."""
    extended = ntp.extended_support(data)
    j, v = draw.draw(st.integers(0, data.num_contexts - 1)), draw.draw(st.integers(0, data.vocab_size - 1))
    mask = extended.support.clone()
    mask[j, v] = ~mask[j, v]
    assume(bool(mask.any(1).all()))
    wrong = ExtendedSupport(SupportPattern.from_mask(mask), extended.direction, extended.certificate, data)
    assert not wrong.verify()
    assert not wrong.verify(exact=True)


def test_the_evidence_for_compatibility_is_verified_too():
    """The right answer with the wrong solution, or the wrong relation, is refuted."""
    yes = ntp.check_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [4, 1]]))
    shift = torch.tensor([[5.0], [0.0]]).double()
    assert replace(yes, solution=yes.solution + shift).verify(exact=True).status == "refuted"
    no = ntp.check_compatibility(NTPDataset.from_counts([[1.0], [2.0]], [[2, 1], [3, 1]]))
    doubled = no.certificate.coefficients.clone()
    doubled[0] *= 2
    wrong = replace(no.certificate, coefficients=doubled)
    assert replace(no, certificate=wrong).verify(exact=True).status == "refuted"
    assert wrong.verify(exact=True).status == "refuted"


def test_a_relation_off_the_supports_is_refuted():
    data = NTPDataset.from_counts([[1.0], [2.0]], [[2, 1, 0], [3, 1, 0]])
    where = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 2, 0, 2])
    outside = Contradiction(*where, torch.tensor([2.0, -2.0, -1.0, 1.0]).double(), 1.0, 0.0, data)
    assert "off the supports" in outside.verify(exact=True).reason


def test_malformed_certificates_are_named():
    data = NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]])
    answer = ntp.check_separability(data)
    certificate = answer.certificate
    twice = replace(certificate, tokens=torch.zeros_like(certificate.tokens))
    with pytest.raises(ntp.errors.UsageError, match="two coefficients for one context"):
        twice.verify(exact=True)
    nan = replace(certificate, coefficients=certificate.coefficients * torch.nan)
    with pytest.raises(ntp.errors.UsageError, match="the coefficient nan"):
        nan.verify(exact=True)
    solution = ntp.solve_svm(NTPDataset([[1.0]], [[1.0, 0.0]]))
    with pytest.raises(ntp.errors.UsageError, match="shape"):
        prove_max_margin(solution.data, solution.direction[:, :0], solution.duals)


@FEW
@given(datasets(max_contexts=4, max_vocab_size=4, max_dim=4), st.data())
def test_a_wrong_solution_of_the_svm_is_refuted(data, draw):
    solution = ntp.predict(data).svm
    assume(solution.norm > 0)
    changed = solution.direction.clone()
    v, k = draw.draw(st.integers(0, changed.shape[0] - 1)), draw.draw(st.integers(0, changed.shape[1] - 1))
    changed[v, k] += 0.01 * solution.norm
    assert replace(solution, direction=changed).verify(exact=True).status == "refuted"
    duals = solution.duals.clone()
    largest = duals.argmax()
    duals.view(-1)[largest] *= 1.01
    assert replace(solution, duals=duals).verify(exact=True).status == "refuted"


# Answers move with the data.


@FEW
@given(datasets(max_contexts=4, max_vocab_size=4, max_dim=3), st.randoms(use_true_random=False))
def test_certificates_move_with_the_data(data, random):
    """Relabelled tokens, permuted contexts, axes exchanged and reflected, embeddings times a power of two each."""
    rows, columns = random.sample(range(data.num_contexts), data.num_contexts), list(range(data.vocab_size))
    random.shuffle(columns)
    axes = random.sample(range(data.dim), data.dim)
    signs = torch.tensor([random.choice([-1.0, 1.0]) for _ in axes]).double()
    scale = torch.tensor([random.choice([0.25, 1.0, 8.0]) for _ in rows]).double()
    p = data.probabilities.to_dense()[rows][:, columns]
    weights = data.weights[rows]
    assume(not _same_embedding(data))
    moved = NTPDataset(scale[:, None] * data.embeddings[rows][:, axes] * signs, p, weights)
    answer = ntp.extended_support(data)
    direction = answer.direction
    if direction is not None:
        direction = direction[columns][:, axes] * signs
    certificate = answer.certificate
    if certificate is not None:
        certificate = FarkasCertificate.from_matrix(certificate.dense()[rows][:, columns] / scale[:, None], moved)
    pattern = SupportPattern.from_mask(answer.support[rows][:, columns])
    assert ExtendedSupport(pattern, direction, certificate, moved).verify(exact=True)


def _same_embedding(data):
    return len(data.embeddings.unique(dim=0)) < data.num_contexts


def test_certificates_survive_merging():
    """Multipliers of contexts with the same embedding add up."""
    h, rows = [[1.0], [1.0], [2.0]], [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]]
    certificate = ntp.check_separability(NTPDataset(h, rows)).certificate
    dense = certificate.dense()
    merged = NTPDataset(h[1:], rows[1:], [2 / 3, 1 / 3])
    summed = torch.stack([dense[0] + dense[1], dense[2]])
    assert FarkasCertificate.from_matrix(summed, merged).verify(exact=True)


# Proofs as objects.


def test_a_proof_is_saved_as_json(tmp_path):
    proof = ntp.check_separability(NTPDataset([[1.0]], [[1.0, 0.0]]), exact=True).proof
    saved = json.loads(proof.save(tmp_path / "proof.json").read_text(encoding="utf-8"))
    assert saved == proof.document


def test_nothing_is_saved_without_a_proof(tmp_path):
    with pytest.raises(ntp.errors.UsageError, match="not certified and has no certificate"):
        Proof("separable", "not certified", "", None).save(tmp_path / "proof.json")
    assert not list(tmp_path.iterdir())


def test_without_flint(monkeypatch):
    """The float path works; exact answers say what to install."""
    monkeypatch.setitem(__import__("sys").modules, "flint", None)
    data = NTPDataset([[1.0]], [[1.0, 0.0]])
    assert ntp.check_separability(data).separable
    with pytest.raises(ntp.errors.UsageError, match=r"install ntp-theory\[exact\]"):
        ntp.check_separability(data, exact=True)
