import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, check_separability, descend, predict
from ntp_theory.asymptotics import ActiveConstraints, finite_constant, mean_offset
from ntp_theory.construct import designed, random
from ntp_theory.construct.instances import sep_incompat, tiny
from ntp_theory.finite_part import InSupportLoss
from ntp_theory.subspace import project, project_complement


def active_normals(limit):
    """(e_z - e_v) h^T on F_perp by context and token, and the multipliers."""
    contexts, tokens = limit.duals.nonzero(as_tuple=True)
    rows = []
    for j, v in zip(contexts.tolist(), tokens.tolist(), strict=True):
        normal = torch.zeros_like(limit.finite)
        normal[limit.reference.pattern.anchors[j]] += limit.data.embeddings[j]
        normal[v] -= limit.data.embeddings[j]
        rows.append(project_complement(normal, limit.reference).flatten())
    return contexts, tokens, torch.stack(rows)


@st.composite
def limits(draw):
    """Well-conditioned data in general position: multipliers are unique (with probability one)."""
    for seed in range(draw(st.integers(0, 2**32 - 1)), 2**33):
        r = np.random.default_rng(seed)
        m, d, v = (int(x) for x in r.integers([1, 2, 2], [6, 7, 6]))
        data = random(v, d, m, (1, v), rng=seed)
        answer = check_separability(data)
        if answer.separable and 0.05 < answer.margin < math.inf:
            return predict(data)
    raise AssertionError("unreachable")


@given(limits())
def test_multipliers_solve_the_gram_system(limit):
    # active constraints have margin exactly 1: G alpha = 1, so 1 is an eigenvalue of G diag(alpha), with vector alpha
    _, _, normals = active_normals(limit)
    alpha = limit.duals[limit.duals > 0]
    gram = normals @ normals.T
    reach = limit.svm.distance_bound() * float(normals.norm(dim=1).max())
    clear = alpha > 1e-3 * alpha.max()  # a multiplier near 0 belongs to a constraint that may be slack
    assert ((gram @ alpha)[clear] - 1).abs().max() <= 4 * reach * (1 + float(gram.norm()) ** 0.5)
    assert (limit.active.rates - 1).abs().min() <= 10 * reach * (1 + float(gram.norm()) ** 0.5)
    assert limit.active.rates.min() >= -1e-10


@given(limits())
def test_the_mean_offset_is_the_offset_along_the_direction(limit):
    along = float((limit.offset * limit.direction).sum()) / limit.loss_constant
    # W_mm and sum alpha n differ by the certified distance; the pseudoinverse cuts at 1e-10
    assert limit.mean_offset == pytest.approx(along, abs=1e-4 * (1 + float(limit.offset.norm())))
    assert limit.mean_offset == mean_offset(limit.reference, limit.finite, limit.duals)


def equations(limit):
    """Both sides of `bias/offset` on the active constraints, for every token z of the support."""
    contexts, tokens, _ = active_normals(limit)
    data, p_bar = limit.data, InSupportLoss(limit.reference).probabilities(limit.finite)
    inside = torch.zeros_like(limit.duals)
    inside[limit.reference.pattern.contexts, limit.reference.pattern.tokens] = p_bar
    logits = data.embeddings @ limit.offset.T
    for j, v in zip(contexts.tolist(), tokens.tolist(), strict=True):
        for z in inside[j].nonzero()[:, 0].tolist():
            right = data.weights[j] * inside[j, z] / limit.duals[j, v]
            yield float(logits[j, z] - logits[j, v]), float(right.log())


@pytest.mark.parametrize(
    "data", [tiny(), sep_incompat(), designed("separable-compatible").data, designed("partially-separable").data]
)
def test_the_offset_meets_its_equations(data):
    limit = predict(data)
    for left, right in equations(limit):
        assert left == pytest.approx(right, abs=1e-6)
    assert (project(limit.offset, limit.reference) - limit.finite).norm() <= 1e-10 * (1 + limit.finite.norm())


def test_closed_form_of_one_context():
    # p = (1), V = 2, h = 1: W_mm = (1, -1)/2, alpha = 1/2, and e^{-x} eta k = alpha for x = w_0 - w_1
    limit = predict(NTPDataset([[1.0]], [[1.0, 0.0]]))
    assert limit.loss_constant == pytest.approx(0.5, abs=1e-12)
    assert limit.mean_offset == pytest.approx(math.log(2.0), abs=1e-9)
    assert limit.active.rates.tolist() == pytest.approx([1.0], abs=1e-9)
    assert limit.burn_in == pytest.approx(0.5, abs=1e-9)
    difference = limit.decoder(100.0, 0.3)
    assert float(difference[0] - difference[1]) == pytest.approx(math.log(0.3 * 100 / 0.5), abs=1e-9)


def test_the_finite_constant_solves_its_linear_system():
    # H_F X = -P_F sum alpha (e_v - p_bar) h^T with a dense Hessian from automatic differentiation
    for data in (tiny(), sep_incompat()):
        limit = predict(data)
        mask = limit.support

        def in_support_loss(w, data=data, mask=mask):
            logits = torch.where(mask, data.embeddings @ w.T, -torch.inf)
            logs = torch.where(mask, logits - torch.logsumexp(logits, 1, keepdim=True), 0.0)
            return -(data.weights[:, None] * data.probabilities.to_dense() * logs).sum()

        size = limit.finite.numel()
        hessian = torch.autograd.functional.hessian(in_support_loss, limit.finite).reshape(size, size)
        p_bar = limit.reference.probabilities.to_dense()
        force = (limit.duals - limit.duals.sum(1, keepdim=True) * p_bar).T @ data.embeddings
        force = project(force, limit.reference).flatten()
        expected = -(torch.linalg.pinv(hessian, rtol=1e-10, hermitian=True) @ force)
        found = finite_constant(limit.reference, limit.finite, limit.duals)
        assert (found.flatten() - expected).norm() <= 1e-6 * expected.norm()
        assert torch.equal(found, limit.finite_constant)


def test_descent_approaches_the_predicted_decoder():
    # one active constraint a direction, all rates 1: what is left at step k is of order log(k)/k = 7e-4
    data = sep_incompat()
    limit, steps = predict(data), 20_000
    last = descend(data, steps=steps, step_size=0.5, record=[steps]).weights[-1]
    along = float((last * limit.direction).sum()) / limit.loss_constant
    assert along - math.log(0.5 * steps) == pytest.approx(limit.mean_offset, abs=20 * math.log(steps) / steps)
    error = 0.5 * steps * (project(last, data) - limit.finite) - limit.finite_constant
    assert error.norm() <= 20 * math.log(steps) / steps * limit.finite_constant.norm()


def test_no_active_constraint():
    limit = predict(designed("full-support").data)
    assert len(limit.active.rates) == 0 and limit.mean_offset == 0 and limit.burn_in == 1
    assert torch.equal(limit.offset, limit.finite)
    assert torch.equal(limit.decoder(1e6), limit.finite)
    assert not limit.finite_constant.any()


def test_slow_modes_fade_at_their_rates():
    limit = predict(tiny())
    active = ActiveConstraints(limit.data, limit.finite, limit.duals)
    start = torch.zeros_like(limit.finite)
    spreads = [active.spread(start, 0.5, 10.0**k) for k in (2, 4, 200, 202)]
    assert spreads == sorted(spreads, reverse=True)
    # far out only the slowest mode is left: k^(-2 lambda)
    slowest = float(active.rates.min())
    assert spreads[3] / spreads[2] == pytest.approx(100 ** (-2 * slowest), rel=1e-3)
    assert slowest == pytest.approx(0.021, abs=5e-4)  # as recorded for this instance


def test_repeated_contexts_share_their_multiplier_by_weight():
    # the two copies are one context of weight 0.7 to every decoder
    h, rows = [[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
    data = NTPDataset(h, rows, [0.1, 0.6, 0.3])
    limit, merged = predict(data), predict(NTPDataset(h[1:], rows[1:], [0.7, 0.3]))
    assert float(limit.duals[1, 2]) == pytest.approx(6 * float(limit.duals[0, 2]), rel=1e-9)
    assert (limit.duals[:2].sum(0) - merged.duals[0]).norm() <= 1e-6
    assert limit.mean_offset == pytest.approx(merged.mean_offset, abs=1e-6)
    assert (limit.offset - merged.offset).norm() <= 1e-6
    steps = 20_000  # the correction of the mean offset is of order log(k)/k
    last = descend(data, steps=steps, step_size=0.5, record=[steps]).weights[-1]
    along = float((last * limit.direction).sum()) / limit.loss_constant - math.log(0.5 * steps)
    assert along == pytest.approx(limit.mean_offset, abs=20 * math.log(steps) / steps)


def test_dependent_normals_take_the_multipliers_of_descent():
    # four one-hot contexts at the corners of a square, two tokens: the normals h_j have one relation
    h = [[1.0, 1.0], [1.0, -1.0], [2.0, 0.0]]
    data = NTPDataset(h, [[1.0, 0.0]] * 3, [0.2, 0.3, 0.5])
    doubled = NTPDataset([*h, [1.0, 0.0], [3.0, 1.0]], [[1.0, 0.0]] * 5, [0.1, 0.2, 0.3, 0.3, 0.1])
    for case in (data, doubled):
        limit, steps = predict(case), 50_000
        last = descend(case, steps=steps, step_size=0.2, record=[steps]).weights[-1]
        softmax = torch.softmax(case.embeddings @ last.T, 1)
        measured = 0.2 * steps * case.weights[:, None] * softmax
        active = limit.duals > 0
        # the slowest mode fades like k^-lambda
        rate = float(limit.active.rates[limit.active.rates > 1e-9].min())
        assert (measured - limit.duals)[active].abs().max() <= 20 * steps ** -min(rate, 0.5)
