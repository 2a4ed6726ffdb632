import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.cone import Cone
from ntp_theory.support import SupportPattern

EPS = 2.0**-52


@st.composite
def problems(draw):
    """A matrix (m, V) and a pattern: tenths, where ties are frequent and rounded, or Gaussian numbers."""
    m, v = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    mask = np.zeros((m, v), dtype=bool)
    for row in mask:
        row[draw(st.lists(st.integers(0, v - 1), min_size=1, max_size=v, unique=True))] = True
    tenths = st.lists(st.integers(-20, 20).map(lambda k: k / 10), min_size=m * v, max_size=m * v)
    seeds = st.integers(0, 2**32 - 1)
    entries = draw(tenths | seeds.map(lambda seed: np.random.default_rng(seed).standard_normal(m * v)))
    matrix = draw(st.sampled_from([1e-150, 1e-8, 1.0, 1e8, 1e150])) * torch.tensor(np.reshape(entries, (m, v)))
    return matrix, SupportPattern.from_mask(torch.from_numpy(mask))


def by_sorting(row, inside):
    """The projection of one row: try every number of active off-support tokens, smallest first."""
    off = np.sort(row[~inside])
    for count in range(len(off) + 1):
        mu = (row[inside].sum() + off[:count].sum()) / (inside.sum() + count)
        if count == len(off) or off[count] >= mu:
            return np.where(inside, row - mu, np.minimum(row - mu, 0.0))
    raise AssertionError("unreachable")


def size(matrix):
    """Rounding of a sum over a row, with some room: V <= 7 terms."""
    return 32 * EPS * float(matrix.abs().max())


@given(problems())
def test_projection_agrees_with_sorting(problem):
    matrix, pattern = problem
    found, _ = Cone(pattern.mask()).project(matrix)
    for row, inside, answer in zip(matrix.numpy(), pattern.mask().numpy(), found.numpy(), strict=True):
        assert np.abs(answer - by_sorting(row, inside)).max() <= size(matrix)


@given(problems())
def test_projection_lies_in_the_cone_and_thresholds_tell_it(problem):
    matrix, pattern = problem
    found, mu = Cone(pattern.mask()).project(matrix)
    mask = pattern.mask()
    assert (found[~mask] <= 0).all()
    assert found.sum(1).abs().max() <= size(matrix)
    shifted = matrix - mu[:, None]
    assert torch.equal(found, torch.where(mask, shifted, shifted.clamp(max=0.0)))


@given(problems())
def test_projecting_again_changes_nothing(problem):
    matrix, pattern = problem
    once, _ = Cone(pattern.mask()).project(matrix)
    again, _ = Cone(pattern.mask()).project(once)
    assert (again - once).abs().max() <= size(matrix)


@given(problems(), st.integers(0, 2**32 - 1))
def test_the_rest_makes_an_obtuse_angle_with_the_cone(problem, seed):
    # the characterisation of a projection on a convex set: <y - P y, c - P y> <= 0 for every c in it
    matrix, pattern = problem
    found, _ = Cone(pattern.mask()).project(matrix)
    scale = float(matrix.abs().max()) or 1.0
    c = torch.from_numpy(np.random.default_rng(seed).standard_normal(matrix.shape))
    off = torch.where(pattern.mask(), 0.0, -c.abs())
    inside = torch.where(pattern.mask(), c, 0.0)
    inside -= torch.where(pattern.mask(), (inside.sum(1) + off.sum(1))[:, None] / pattern.sizes[:, None], 0.0)
    element = scale * (inside + off)
    y, p = matrix / scale, found / scale
    assert ((y - p) * (element / scale - p)).sum() <= 1e3 * EPS * (1 + (element / scale).abs().sum())


@given(problems(), st.lists(st.floats(-1e3, 1e3), min_size=4, max_size=4))
def test_a_warm_start_changes_nothing(problem, guesses):
    matrix, pattern = problem
    start = torch.tensor(guesses[: len(matrix)], dtype=torch.float64) * matrix.abs().max()
    cold, _ = Cone(pattern.mask()).project(matrix)
    warm, _ = Cone(pattern.mask()).project(matrix, start)
    assert (cold - warm).abs().max() <= size(matrix)


@pytest.mark.parametrize(
    ("row", "low", "high"),
    [
        ([1.1, 1.1, 1.1, 0.6, 1.4, 0.1, 1.9], "0x1.3333333333333p-1", "0x1.3333333333334p-1"),
        ([1.3, 1.3, 1.3, 0.6, 0.5, 0.8, 9.0], "0x1.999999999999ap-1", "0x1.999999999999bp-1"),
    ],
)
def test_rounded_ties_out_of_step_end(row, low, high):
    # The threshold swings between two neighbouring numbers, and with it the count of active tokens. Two rows half a
    # period apart keep each other going for ever if any falling count is taken for progress.
    matrix = torch.tensor([row, row], dtype=torch.float64)
    mask = torch.zeros(2, 7, dtype=torch.bool)
    mask[:, 0] = True
    start = torch.tensor([float.fromhex(low), float.fromhex(high)], dtype=torch.float64)
    found, _ = Cone(mask).project(matrix, start)
    expected = by_sorting(matrix[0].numpy(), mask[0].numpy())
    assert np.abs(found.numpy() - expected).max() <= size(matrix)


def test_full_supports_are_centred_and_a_lone_token_gives_zero():
    pattern = SupportPattern.from_mask(torch.ones(1, 3, dtype=torch.bool))
    assert Cone(pattern.mask()).project(torch.tensor([[1.0, 2.0, 6.0]], dtype=torch.float64))[0].tolist() == [
        [-2.0, -1.0, 3.0]
    ]
    lone = SupportPattern.from_mask(torch.ones(2, 1, dtype=torch.bool))
    assert Cone(lone.mask()).project(torch.tensor([[5.0], [-7.0]], dtype=torch.float64))[0].tolist() == [[0.0], [0.0]]


def test_a_row_in_the_cone_stays():
    pattern = SupportPattern.from_mask(torch.tensor([[True, False, False, True]]))
    row = torch.tensor([[3.0, -1.0, 0.0, -2.0]], dtype=torch.float64)
    assert torch.equal(Cone(pattern.mask()).project(row)[0], row)
