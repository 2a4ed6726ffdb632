"""Stochastic descent: exact means over all draws, rounds that cover the data, noise that dies out or does not."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import predict
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import descend
from ntp_theory.descent.methods.stochastic import StochasticGradientDescent, StochasticPairDescent
from ntp_theory.distributed import ContextShard
from ntp_theory.errors import UsageError
from ntp_theory.loss import gradient
from ntp_theory.ranks import Ranks
from ntp_theory.testing import KINDS, datasets, decoders
from tests.descent.methods.test_gd import gradient_error
from tests.descent.reference import ONE_HOT, SOFT
from tests.test_loss import rounding

CLASSES = [StochasticGradientDescent, StochasticPairDescent]
classes = st.sampled_from(CLASSES)
small = st.sampled_from(KINDS).flatmap(
    lambda kind: datasets(kind, max_contexts=3, max_vocab_size=3, max_dim=3).flatmap(
        lambda data: st.tuples(st.just(data), decoders(data))
    )
)


@given(small, classes)
def test_the_mean_over_single_draws_is_the_gradient(case, kind):
    data, weights = case
    method = kind(1.0)
    masses = method._masses(data)
    mean = sum(masses[i] * method._gradient(weights, data, torch.tensor([i])) for i in range(len(masses)))
    assert (mean - gradient(weights, data)).norm() <= slack(weights, data)


@given(small, classes)
def test_the_mean_over_all_pairs_of_draws_is_the_gradient(case, kind):
    data, weights = case
    method = kind(1.0, batch_size=2)
    masses, mean = method._masses(data), torch.zeros_like(weights)
    for i, j in itertools.product(range(len(masses)), repeat=2):
        mean += masses[i] * masses[j] * method._gradient(weights, data, torch.tensor([i, j]))
    assert (mean - gradient(weights, data)).norm() <= slack(weights, data)


@given(small, classes, st.integers(1, 2), st.integers(0, 2))
def test_the_mean_over_all_orders_is_the_gradient(case, kind, batch_size, batch):
    """For every batch of a round, the last and smaller one too."""
    data, weights = case
    method = kind(1.0, batch_size=batch_size, replace=False)
    count = len(method._masses(data))
    if count < batch_size or count > 4:
        return
    batch = slice(batch * batch_size % count, batch * batch_size % count + batch_size)
    orders = list(itertools.permutations(range(count)))
    mean = sum(method._gradient(weights, data, torch.tensor(order[batch])) for order in orders) / len(orders)
    assert (mean - gradient(weights, data)).norm() <= slack(weights, data)


def slack(weights, data):
    """Errors of the two gradients; a batch may count contexts several times, in the mean it does as the data does."""
    return 4 * gradient_error(weights, data)


@given(datasets("one-hot"), st.sampled_from([300.0, 690.0]))
def test_tails_of_single_contexts_are_exact(data, gap):
    """One minus a probability of 1 - e^-300 is e^-300."""
    if torch.linalg.matrix_rank(data.embeddings) < data.num_contexts:
        return
    weights = gap * (torch.linalg.pinv(data.embeddings) @ data.support.double()).T
    method = StochasticGradientDescent(1.0)
    singles = [method._gradient(weights, data, torch.tensor([j])) for j in range(data.num_contexts)]
    found = sum(pi * single for pi, single in zip(data.weights, singles, strict=True))
    whole = gradient(weights, data)
    size = float((data.weights * data.embeddings.norm(dim=1)).sum()) * math.exp(-gap)
    assert (found - whole).norm() <= 8 * rounding(weights, data) * size * weights.numel() ** 0.5


@given(st.integers(0, 5), st.integers(1, 7), classes)
def test_a_round_without_replacement_has_everything_once(seed, batch_size, kind):
    data = SOFT
    method = kind(0.1, batch_size=batch_size, replace=False, seed=seed)
    count = len(method._masses(data))
    if batch_size > count:
        return
    state, seen = method.init(data, torch.zeros(4, 6, dtype=torch.float64)), []
    per_round = math.ceil(count / batch_size)
    for k in range(3 * per_round):
        state = method.step(state)
        position = k % per_round
        seen += state.drawn[position * batch_size : (position + 1) * batch_size].tolist()
    assert all(sorted(seen[r * count : (r + 1) * count]) == list(range(count)) for r in range(3))
    assert len({tuple(seen[r * count : (r + 1) * count]) for r in range(3)}) > 1 or count < 4


@pytest.mark.parametrize("kind", CLASSES)
def test_draws_follow_the_masses(kind):
    """Frequencies in 20000 draws, within five standard deviations."""
    data = NTPDataset(SOFT.embeddings, SOFT.probabilities, [0.4, 0.3, 0.2, 0.1])
    method = kind(0.1, seed=3)
    masses = method._masses(data)
    drawn = torch.cat([method._round(masses, number) for number in range(20_000 // len(masses))])
    found = torch.bincount(drawn, minlength=len(masses)) / len(drawn)
    assert bool(((found - masses).abs() <= 5 * (masses * (1 - masses) / len(drawn)).sqrt()).all())


@pytest.mark.parametrize("replacing", [True, False])
@pytest.mark.parametrize("kind", CLASSES)
def test_draws_depend_on_the_seed_and_the_round_alone(kind, replacing):
    """Another past, the same draws: two runs from different starts see the same batches."""
    runs = []
    for start in (0.0, 1.0):
        method, seen = kind(0.1, batch_size=3, replace=replacing, seed=5), []
        state = method.init(SOFT, torch.full((4, 6), start, dtype=torch.float64))
        for _ in range(10):
            state = method.step(state)
            seen.append(state.drawn.tolist())
        runs.append(seen)
    assert runs[0] == runs[1]
    other = kind(0.1, batch_size=3, replace=replacing, seed=6)
    assert other.step(other.init(SOFT, torch.zeros(4, 6, dtype=torch.float64))).drawn.tolist() != runs[0][0]


@given(datasets("independent").flatmap(lambda data: st.tuples(st.just(data), decoders(data))))
def test_strong_growth_of_contexts(case):
    """`bias/strong-growth`: E ||grad f_j||^2 <= rho ||grad CE||^2, at any W, if the embeddings are independent.

    Exact; slack for the rounding of the gradients, which contexts with several next tokens have in absolute terms.
    """
    data, weights = case
    h, pi = data.embeddings, data.weights
    smallest = torch.linalg.svdvals(h)[-1] ** 2
    rho = float(h.square().sum(1).max() / (smallest * pi.min()))
    method = StochasticGradientDescent(1.0)
    second = 0.0
    for j in range(data.num_contexts):
        second += float(pi[j]) * float(method._gradient(weights, data, torch.tensor([j])).norm()) ** 2
    whole, error = float(gradient(weights, data).norm()), gradient_error(weights, data)
    assert second <= rho * (whole + 2 * error) ** 2 * (1 + 1e-10) + 2 * rho * error * math.sqrt(second) + rho * error**2


def test_no_strong_growth_of_pairs():
    """`bias/strong-growth`: the second moment tends to sum_j pi_j ||h_j||^2 (1 - ||p_j||^2), the gradient to 0."""
    limit = predict(SOFT)
    method = StochasticPairDescent(1.0)
    noise = SOFT.weights * SOFT.embeddings.square().sum(1)
    noise = float((noise * (1 - SOFT.probabilities.to_dense().square().sum(1))).sum())
    for log_time in (10.0, 20.0, 30.0):
        weights = limit.offset + limit.direction * log_time
        second = 0.0
        for i, mass in enumerate(SOFT.joint.tolist()):
            second += mass * float(method._gradient(weights, SOFT, torch.tensor([i])).norm()) ** 2
        tail = math.exp(-log_time) * limit.loss_constant
        assert second == pytest.approx(
            noise, rel=10 * tail
        )  # probabilities are off by the tail, embeddings are a few long
        assert second > float(gradient(weights, SOFT).norm()) ** 2 / tail


@pytest.mark.parametrize("replacing", [True, False])
def test_contexts_obey_the_laws_of_gradient_descent(replacing):
    """`bias/footnote-8`: t (CE - H) -> ||W_mm||^2 with t the sum of the step sizes.

    On one-hot data, where the gradient of every context is as small as its tail. A round takes log time eta m / t, and
    noise of that relative size is left in the multipliers at most: under 1 % here.
    """
    limit, steps = predict(ONE_HOT), 4000
    run = descend(ONE_HOT, StochasticGradientDescent(replace=replacing), steps=steps)
    t = math.exp(float(run.log_elapsed[-1]))
    assert t == pytest.approx(run.step_size * steps, rel=1e-9)
    slack = 2 * limit.active.spread(run.weights[0], run.step_size, steps) + 2 * limit.burn_in * math.log(t) / t
    assert t * float(run.gap[-1]) == pytest.approx(limit.loss_constant, rel=slack + 0.01)


def test_pairs_have_a_floor():
    """`bias/strong-growth`: the mean of CE_F - H is eta/4 of the noise, as for any quadratic with noise of that size.

    One context, two tokens of equal probability: every gradient is +-1/2 off, so x = w_0 - w_1 moves by -2 eta (s(x) -
    1/2) -+ eta. Next order in eta: 1 + eta / 4 (the step overshoots) and the quartic part of the loss, under eta too.
    Samples 1/(eta lambda) apart are independent, which makes the standard error sqrt(2 * 2 / (eta / 2 * steps)).
    """
    data, eta, steps = NTPDataset([[1.0]], [[0.5, 0.5]]), 0.1, 8000
    run = descend(data, StochasticPairDescent(eta, seed=1), steps=steps, record=range(200, steps + 1, 20))
    floor = eta / 4 * 0.5
    error = 4 * math.sqrt(2 * 2 / (eta / 2 * steps)) + eta
    assert float(run.in_support.mean()) == pytest.approx(floor, rel=error)


def test_with_decay_pairs_converge():
    """The floor falls with eta_k; from 40 times the mean time the noise of the first is forgotten."""
    data = NTPDataset([[1.0]], [[0.5, 0.5]])
    run = descend(data, StochasticPairDescent(0.5, decay=0.7, seed=1), steps=3000, record=range(2000, 3001, 10))
    assert float(run.in_support.mean()) < 5 * run.step_size / 8
    assert run.step_size == pytest.approx(0.5 * 3000**-0.7)


@given(datasets(), classes, st.booleans())
def test_the_default_step_size_is_one_over_the_largest_curvature_of_a_draw(data, kind, replacing):
    method = kind(replace=replacing)
    masses = method._masses(data)
    contexts = range(data.num_contexts) if kind is StochasticGradientDescent else data.pattern.contexts.tolist()
    shares = [1.0 if replacing else len(masses) * float(x) for x in masses]
    largest = max(s * float(data.embeddings[j].square().sum()) / 2 for s, j in zip(shares, contexts, strict=True))
    expected = 1 / largest if largest else 1.0
    assert method.init(data, torch.zeros(data.vocab_size, data.dim)).step_size == pytest.approx(expected)


@pytest.mark.parametrize(
    ("rule", "change"),
    [
        ("batch_size is 0; it must be a whole number >= 1", {"batch_size": 0}),
        ("replace is 1; it must be True or False", {"replace": 1}),
        ("decay is 2; it must be a number from 0 to 1", {"decay": 2}),
        ("seed is -1; it must be a whole number >= 0", {"seed": -1}),
        ("step_size is 0; it must be a positive finite number", {"step_size": 0}),
        ("batch_size is 5; without replacement it must be at most 4", {"batch_size": 5, "replace": False}),
    ],
)
def test_settings_that_are_refused(rule, change):
    with pytest.raises(UsageError, match=rule):
        descend(SOFT, StochasticGradientDescent(**change), steps=1)


def test_shards_are_refused():
    ranks = Ranks()
    shard = ContextShard(SOFT, ranks)
    ranks.size = 2
    with pytest.raises(UsageError, match=r"draws need all: pass data.whole\(\)"):
        StochasticGradientDescent().init(shard, torch.zeros(4, 6, dtype=torch.float64))
