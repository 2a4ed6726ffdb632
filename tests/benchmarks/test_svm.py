"""The benchmark judges rightly, asks everyone the same question, and its instances are what they are said to be."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import ntp_theory as ntp
from ntp_theory.construct.instances import lemma5, tiny, toy

# ruff: noqa: E402  (what is imported below needs the group `benchmarks` of pyproject.toml)
for extra in ("clarabel", "flint", "osqp", "piqp", "scs", "sklearn"):
    pytest.importorskip(extra)

from benchmarks.svm import judge, results, runner, suites
from benchmarks.svm.certificate import ball, distance_bound, distance_bound_in_doubles
from benchmarks.svm.contestants import CONTESTANTS, OURS
from benchmarks.svm.instances import GROWTH, INSTANCES
from benchmarks.svm.reference import homotopy, refine
from benchmarks.svm.report import write


def arrays(data):
    return data.embeddings.numpy(), data.support.numpy()


def exact_distance(weights, proof):
    """||W - W_mm||_F with W_mm in rationals, to some 12 digits."""
    exact = [[Fraction(entry) for entry in row] for row in proof.document["proof"]["direction"]]
    pairs = zip(weights.ravel().tolist(), (entry for row in exact for entry in row), strict=True)
    apart = [Fraction(w) - x for w, x in pairs]
    return float(sum(x * x for x in apart)) ** 0.5


def exact(data):
    solution = ntp.solve_svm(data)
    return solution, solution.verify(exact=True)


@st.composite
def draws(draw):
    seed = draw(st.integers(0, 2**32 - 1))
    r = np.random.default_rng(seed)
    m, d, v = (int(x) for x in r.integers([1, 2, 2], [6, 7, 6]))
    data = ntp.construct.random(v, d, m, (1, v - 1), rng=seed)
    assume(m <= d or ntp.check_separability(data).separable)
    return data


@settings(max_examples=25)
@given(draws())
def test_the_reference_is_as_close_as_it_says(data):
    solution, proof = exact(data)
    assume(proof.status == "proved")  # a degenerate draw may stay open
    h, support = arrays(data)
    for found in (refine(h, support, solution.direction.numpy(), -solution.duals.numpy()), homotopy(h, support)):
        assert exact_distance(found.weights, proof) <= found.bound <= 1e-13 * solution.norm * np.linalg.cond(h)


@pytest.mark.parametrize("instance", [tiny, lemma5, toy])
@given(size=st.sampled_from([0.0, 1e-12, 1e-8, 1e-4, 1e-1]), seed=st.integers(0, 1000))
@settings(max_examples=15)
def test_no_bound_is_smaller_than_the_distance(instance, size, seed):
    """For decoders and multipliers near the solution and far from it, in both ways of computing."""
    data = instance()
    solution, proof = exact(data)
    (h, support), r = arrays(data), np.random.default_rng(seed)
    weights = solution.direction.numpy() + size * r.standard_normal(solution.direction.shape)
    c = np.where(support, 0.0, -solution.duals.numpy() + size * r.standard_normal(support.shape))
    logits = h @ weights.T
    levels = np.where(support, logits, 0.0).sum(axis=1) / support.sum(axis=1)
    true = exact_distance(weights, proof)
    assert true <= distance_bound(h, support, ball(weights), ball(c), [levels])
    if data.num_contexts <= data.dim:
        bound = distance_bound_in_doubles(h, support, weights, c)
        assert true <= bound
        if size <= 1e-8:
            assert bound <= 100 * np.linalg.cond(h) * (size + 1e-8) * solution.norm  # solve_svm's own distance
    known = refine(h, support, solution.direction.numpy(), -solution.duals.numpy())
    assert true <= judge.relative_bound(data, {"weights": weights}, known) * (solution.norm + 1e-12)


@pytest.mark.parametrize("name", CONTESTANTS)
def test_everyone_answers_the_same_question(name):
    contestant = CONTESTANTS[name]
    instances = [ntp.construct.random(6, 9, 7, 1 if contestant.one_hot else (1, 3), rng=2)]
    if not (contestant.one_hot or contestant.full_rank):
        instances.append(toy())
    if contestant.one_hot:  # it does not hear of tokens that never occur
        instances = [ntp.NTPDataset(instances[0].embeddings, np.eye(6)[[0, 1, 2, 3, 4, 5, 0]])]
    for data in instances:
        solution, proof = exact(data)
        answer = contestant.solve(data, 1e-10, 10.0)
        assert not answer.infeasible and answer.seconds >= answer.inside >= 0
        assert exact_distance(answer.weights, proof) <= 1e-4 * solution.norm  # sqrt of a gap of 1e-10, and some


@pytest.mark.parametrize("name", [name for name, c in CONTESTANTS.items() if not (c.one_hot or c.full_rank)])
def test_nobody_separates_what_cannot_be_separated(name):
    data = ntp.NTPDataset([[1.0, 2.0], [2.0, 4.0], [0.5, -1.0]], [[0.5, 0.5, 0], [0, 0.5, 0.5], [1, 0, 0]])
    answer = CONTESTANTS[name].solve(data, 1e-8, 10.0)
    assert answer.infeasible
    if answer.refutation is not None:
        excluded = judge.excluded_norm(data, answer.refutation)
        assert excluded >= (results.REFUTED if name in OURS else 1e2)


def test_a_refutation_excludes_no_solution():
    """Multipliers of separable data exclude norms below that of the solution only, the best of them exactly those."""
    data = ntp.construct.random(6, 9, 7, (1, 3), rng=2)
    solution, (h, support) = ntp.solve_svm(data), arrays(data)
    scale = float(np.sqrt((h * h).sum() / len(h)))
    c = np.linalg.lstsq(h.T, solution.direction.numpy().T)[0]
    assert judge.excluded_norm(data, c) == pytest.approx(scale * solution.norm, rel=1e-4)
    r = np.random.default_rng(0)
    for _ in range(20):
        c = np.where(support, 1.0, -1.0) * r.random(support.shape)
        assert judge.excluded_norm(data, c) <= scale * solution.norm


SMALL = [name for name, i in INSTANCES.items() if i.family not in ("large", "gpu") and "growth" not in i.family]


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("random-400", "one-hot-100-1000")])
def test_an_instance_is_separable_as_it_says(name):
    assert ntp.check_separability(INSTANCES[name].make()).separable == INSTANCES[name].separable


def test_spectra_are_as_named():
    def values(name):
        return np.linalg.svd(INSTANCES[name].make().embeddings.numpy(), compute_uv=False)

    ranks = np.arange(1, 101)
    for name, expected in (
        ("power-1", 1 / ranks),
        ("power-2", ranks**-2.0),
        ("geometric-1e8", 10 ** (-8 * (ranks - 1) / 99)),
    ):
        assert np.abs(values(name) - expected).max() <= 1e-14
    h = INSTANCES["mean-5"].make().embeddings.numpy()
    spread = np.sqrt(((h - h.mean(axis=0)) ** 2).sum(axis=1).mean())
    assert np.linalg.norm(h.mean(axis=0)) == pytest.approx(5 * spread, rel=0.05)  # 128 draws a vector


def test_instances_are_the_same_every_time():
    for name in ("text-100-62", "learned-48", "twins-1e-4", "one-hot-25-50"):
        first, again = (INSTANCES[name].make() for _ in range(2))
        assert np.array_equal(first.embeddings, again.embeddings) and np.array_equal(first.support, again.support)
    assert all(sizes[-1][axis] == 10 * sizes[0][axis] for axis, sizes in enumerate(GROWTH.values()))
    assert {job.instance for jobs in suites.SUITES.values() for job in jobs} == set(INSTANCES)


def test_what_was_measured_is_not_measured_again(tmp_path, monkeypatch):
    file = tmp_path / "results.jsonl"
    jobs = [suites.Job("one-hot-25-50", OURS[0])]
    runner.run(jobs, file, tmp_path)
    records = results.read(file)
    [line] = results.lines(records)
    assert line.outcome == "reached" and line.bound <= results.GOAL and line.seconds > 0
    monkeypatch.setattr(runner, "_measure", None)
    runner.run(jobs, file, tmp_path)
    assert results.read(file) == records
    page = tmp_path / "page.md"
    write(file, page)
    text = page.read_text(encoding="utf-8")
    assert "| one-hot-25-50 |" in text and "Not measured yet." in text
    assert (tmp_path / "page" / "accuracy.png").read_bytes()[1:4] == b"PNG"
