import numpy as np
import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize
from scipy.special import expit

from ntp_theory import NTPDataset, check_compatibility, extended_support
from ntp_theory.construct import DESIGNED, designed, random
from ntp_theory.construct.instances import a2, sep_incompat
from ntp_theory.errors import SolverError
from ntp_theory.finite_part import InSupportLoss
from ntp_theory.subspace import data_subspace, project
from ntp_theory.support import SupportPattern
from ntp_theory.testing import datasets, decoders

SEEDS = st.integers(0, 2**32 - 1)


def by_definition(weights, data, mask):
    """CE_F as a differentiable function: every softmax restricted to ``mask``, targets p_j."""
    logits = torch.where(mask, data.embeddings @ weights.T, -torch.inf)
    logs = torch.where(mask, logits - torch.logsumexp(logits, 1, keepdim=True), 0.0)
    return -(data.weights[:, None] * data.probabilities.to_dense() * logs).sum()


def moderate(seed):
    r = np.random.default_rng(seed)
    m, d, v = (int(x) for x in r.integers([1, 1, 2], [6, 5, 6]))
    return random(v, d, m, (1, v), rng=seed)


@given(st.data())
def test_value_and_gradient_are_those_of_the_definition(draw):
    data = draw.draw(datasets())
    weights = draw.draw(decoders(data)).requires_grad_()
    value = by_definition(weights, data, data.support)
    (slope,) = torch.autograd.grad(value, weights)
    loss = InSupportLoss(data)
    # logits carry a relative rounding of some 2^-52, and log-sum-exp passes it on as an absolute error
    eps = 1e-14 * (1 + float((data.embeddings @ weights.detach().T).abs().max()))
    assert loss.value(weights.detach()) == pytest.approx(float(value.detach()), abs=eps)
    gradient = loss.gradient(weights.detach())
    assert (gradient - slope).norm() <= eps * (1 + data.embeddings.norm())
    assert (gradient - project(gradient, data)).norm() <= 1e-12 * (1 + data.embeddings.norm())


@given(SEEDS)
def test_hessian_products_are_derivatives_of_the_gradient(seed):
    data = moderate(seed)
    r = np.random.default_rng(seed)
    weights, direction = (torch.from_numpy(r.standard_normal((data.vocab_size, data.dim))) for _ in range(2))
    _, expected = torch.autograd.functional.hvp(lambda w: by_definition(w, data, data.support), weights, direction)
    loss = InSupportLoss(data)
    found = loss.hessian_product(loss.probabilities(weights), direction)
    assert (found - expected).norm() <= 1e-13 * (1 + data.embeddings.norm() ** 2 * direction.norm())


@given(SEEDS)
@example(14)  # after F is done, rounding outside it has next to no curvature and must not be followed
@example(170)
def test_solving_with_the_hessian_inverts_its_product(seed):
    data = moderate(seed)
    r = np.random.default_rng(seed)
    loss, shape = InSupportLoss(data), (data.vocab_size, data.dim)
    weights, target = (project(torch.from_numpy(r.standard_normal(shape)), data) for _ in range(2))
    p = loss.probabilities(weights)
    units = torch.eye(target.numel(), dtype=torch.float64).reshape(-1, *shape)
    hessian = torch.stack([loss.hessian_product(p, unit).flatten() for unit in units])
    curvatures = torch.linalg.eigvalsh(hessian)[target.numel() - data_subspace(data).dim :]
    assume(len(curvatures) and curvatures[0] > 1e-4 * curvatures[-1])
    solution = loss.solve_hessian(weights, target)
    image = loss.hessian_product(p, solution)
    # conjugate gradients leave F by rounding, which grows with the condition number: at most 1e4, squared and more
    assert (image - target).norm() <= 1e-6 * target.norm()
    exact = torch.linalg.pinv(hessian, rtol=1e-8, hermitian=True) @ target.flatten()
    assert (project(solution, data).flatten() - exact).norm() <= 1e-6 * 1e4 * exact.norm()


@given(SEEDS)
def test_the_minimiser_is_the_best_that_scipy_finds(seed):
    data = moderate(seed)
    loss = InSupportLoss(data)
    minimiser = loss.minimise()
    assert loss.gradient(minimiser).norm() <= 1e-12 * (data.weights * data.embeddings.norm(dim=1)).sum()
    shape = minimiser.shape
    found = minimize(
        lambda w: loss.value(torch.from_numpy(w).reshape(shape)),
        np.zeros(minimiser.numel()),
        jac=lambda w: loss.gradient(torch.from_numpy(w).reshape(shape)).flatten().numpy(),
        method="BFGS",
        options={"gtol": 1e-9},
    )
    # convex, and flat at the minimiser: nothing is below it but by rounding
    assert loss.value(minimiser) <= found.fun + 1e-14


@given(SEEDS)
def test_compatible_data_is_minimised_by_its_log_odds(seed):
    data = moderate(seed)
    answer = check_compatibility(data)
    if answer.compatible:
        loss = InSupportLoss(data)
        assert loss.value(answer.solution) == pytest.approx(data.entropy, abs=1e-12)
        assert loss.gradient(answer.solution).norm() <= 1e-9 * (1 + data.embeddings.norm())


@pytest.mark.parametrize("name", DESIGNED)
def test_designed_minimisers_on_their_extended_supports(name):
    case = designed(name)
    data = case.data
    level = torch.zeros_like(case.finite) if case.direction is None else case.direction
    logits = data.embeddings @ level.T
    pattern = SupportPattern.from_mask(logits > logits.max(1, keepdim=True).values - 0.5)
    loss = InSupportLoss(data, pattern)
    minimiser = loss.minimise()
    assert loss.value(minimiser) == pytest.approx(case.infimum, abs=1e-14)
    # gradient 1e-12, curvature at least 0.1 on these
    assert (minimiser - case.finite).norm() <= 1e-10


def test_recorded_infimum_of_sep_incompat():
    loss = InSupportLoss(sep_incompat())
    assert loss.value(loss.minimise()) == pytest.approx(0.60672, abs=5e-6)


def test_a2_reaches_its_entropy():
    data = a2()
    loss = InSupportLoss(data)
    assert loss.value(loss.minimise()) == pytest.approx(data.entropy, abs=1e-12)


def test_too_few_iterations_are_an_error_with_the_best_iterate():
    with pytest.raises(SolverError, match="gradient") as caught:
        InSupportLoss(sep_incompat()).minimise(max_iterations=1)
    assert caught.value.best.shape == (3, 2)


def test_a_minimisation_that_rounding_defeats_says_so():
    """Embeddings from 1e-6 to 1e6: an answer, or an error whose best iterate is a decoder far below the start."""
    a = 2.0**-18
    h = [[-a, a], [-a, -a / 2], [0.0, -a], [-(2.0**-12), -(2.0**-12)], [0.0, -(2.0**20)]]
    data = NTPDataset.from_counts(h, [[0, 2, 0], [1, 1, 1], [1, 5, 2], [0, 3, 0], [0, 0, 2]])
    loss = InSupportLoss(data, extended_support(data).pattern)
    try:
        found = loss.minimise()
    except SolverError as error:
        found = error.best
    start = torch.zeros_like(found)
    assert float(loss.gradient(found).norm()) <= 1e-6 * float(loss.gradient(start).norm())
    assert loss.value(found) < loss.value(start)


def test_one_hot_data_has_nothing_to_fit():
    loss = InSupportLoss(NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]]))
    assert not loss.minimise().any() and loss.value(loss.minimise()) == 0


def test_a_minimiser_far_out_where_the_loss_is_flat():
    """One context asks for odds of 1e-4, another, 800 times shorter, for none: they meet at a logit of 1971."""
    short = 0.0012301533574825742
    data = NTPDataset([[1.0], [short]], [[1 - 1e-4, 1e-4], [1.0, 0.0]])
    full = SupportPattern.from_mask(torch.ones(2, 2, dtype=torch.bool))
    found = InSupportLoss(data, full).minimise()

    def slope(x):
        return expit(x) - (1 - 1e-4) - short * expit(-short * x)

    expected = brentq(slope, 100.0, 1e4, xtol=1e-12, rtol=1e-14)
    # the gradient is met to 1e-12 of its scale, on a curvature of 1e-7
    assert float(found[0, 0] - found[1, 0]) == pytest.approx(expected, abs=1e-4)
