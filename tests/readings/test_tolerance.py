"""Radii against the definition in rationals, noise on both sides of them, and what margins guarantee."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from ntp_theory import NTPDataset, predict, solve_svm
from ntp_theory.errors import UsageError
from ntp_theory.readings import flip_bounds, flip_rate, noise_tolerance, radius_ceiling
from ntp_theory.readings.flips import cap_share
from ntp_theory.testing import datasets, datasets_of_case, decoders, separating_directions

NOISES = ("l1", "l2", "linf")
# Entries for the sums in which a vector is measured, by norm.
SIZE = {
    "l1": lambda x: sum(map(abs, x)),
    "linf": lambda x: max(map(abs, x)),
    "l2": lambda x: math.sqrt(sum(map(Fraction.__mul__, x, x))),
}
DUAL = {"l1": "linf", "l2": "l2", "linf": "l1"}


def fractions(tensor):
    return [Fraction(x) for x in tensor.double().tolist()]


def gaps(found, j):
    """Row differences of every pair of context j, in rationals."""
    rows, inside = [fractions(row) for row in found.weights], found.data.support[j].tolist()
    return [
        [a - b for a, b in zip(rows[y], rows[v], strict=True)]
        for y in range(len(rows))
        for v in range(len(rows))
        if inside[y] and not inside[v]
    ]


def overtaken(found, j, noise):
    """Whether some off-support token reaches an in-support one under the noise, in rationals."""
    moved = [x + e for x, e in zip(fractions(found.data.embeddings[j]), fractions(noise), strict=True)]
    return any(sum(map(Fraction.__mul__, gap, moved)) <= 0 for gap in gaps(found, j))


@given(st.data(), st.sampled_from(NOISES))
def test_radius_is_between_the_definition_and_its_own_flip(draw, noise):
    data = draw.draw(datasets(max_contexts=3, max_vocab_size=4))
    found = noise_tolerance(draw.draw(decoders(data)), data, noise=noise)
    for j in range(data.num_contexts):
        h, radius = fractions(data.embeddings[j]), float(found.radii[j])
        if not (pairs := gaps(found, j)):
            assert radius == math.inf
            continue
        margins = [sum(map(Fraction.__mul__, gap, h)) for gap in pairs]
        if min(margins) <= 0:
            assert radius == 0 and not found.closest_flip(j).any()
            continue
        # no pair is nearer: radius ||gap|| <= margin, squared where the norm has a root
        for gap, margin in zip(pairs, margins, strict=True):
            if noise == "l2":
                assert Fraction(radius) ** 2 * sum(map(Fraction.__mul__, gap, gap)) <= margin**2
            else:
                assert Fraction(radius) * SIZE[DUAL[noise]](gap) <= margin
        flip = found.closest_flip(j)
        assert overtaken(found, j, flip)
        # rounding is relative to the sums that make up a margin, not to the margin
        largest = 2 * float(found.weights.abs().max()) * float(data.embeddings[j].abs().sum())
        lost = 2 * (data.dim + 4) * 2.0**-52 * 4 * largest / float(min(margins))
        assert SIZE[noise](fractions(flip)) <= radius * (1 + 1e-11 + 4 * lost) or lost > 0.1


@given(st.data(), st.sampled_from(NOISES))
def test_no_noise_inside_flips_whatever_its_direction(draw, noise):
    data = draw.draw(datasets("independent", max_contexts=3, max_vocab_size=4))
    found = noise_tolerance(draw.draw(separating_directions(data)), data, noise=noise)
    j = draw.draw(st.integers(0, data.num_contexts - 1))
    assume(math.isfinite(found.radii[j]))
    arrow = torch.tensor(draw.draw(st.lists(st.integers(-4, 4), min_size=data.dim, max_size=data.dim))).double()
    assume(bool(arrow.any()))
    p = {"l1": 1.0, "l2": 2.0, "linf": math.inf}[noise]
    unit = arrow / torch.linalg.vector_norm(arrow, p)
    assert not overtaken(found, j, 0.999999 * float(found.radii[j]) * unit)
    assert flip_rate(found, 0.999999 * float(found.radii[j]), context=j, draws=20).flips == 0


@given(st.data())
def test_scale_shift_and_rotation_leave_the_radius(draw):
    data = draw.draw(datasets("independent", max_contexts=3))
    w = draw.draw(separating_directions(data))
    radii = noise_tolerance(w, data).radii
    generator = torch.Generator().manual_seed(draw.draw(st.integers(0, 99)))
    q = torch.linalg.qr(torch.randn(data.dim, data.dim, generator=generator, dtype=torch.float64)).Q
    turned = NTPDataset(data.embeddings @ q.T, data.probabilities, data.weights)
    shifted = w + torch.randn(data.dim, generator=generator, dtype=torch.float64)
    scale = 1e-9 * (1 + float(w.abs().max()) * float(data.embeddings.abs().max()))
    for other in (
        noise_tolerance(2.0**-700 * w, data),
        noise_tolerance(2.0**700 * w, data),
        noise_tolerance(shifted, data),
        noise_tolerance(w @ q.T, turned),
    ):
        assert torch.allclose(other.radii, radii, rtol=scale, atol=scale)


@given(st.data(), st.sampled_from(NOISES))
def test_margins_guarantee_and_the_data_limits(draw, noise):
    data = draw.draw(datasets("independent", max_contexts=4))
    found = noise_tolerance(draw.draw(separating_directions(data)), data, noise=noise)
    assume(math.isfinite(found.radius))
    frobenius, spectral = found.lower_bound(), found.lower_bound("spectral")
    assert 0 < frobenius <= spectral * (1 + 1e-9)
    assert spectral <= float(found.closest_flip().norm(p={"l1": 1, "l2": 2, "linf": math.inf}[noise])) * (1 + 1e-9)
    assert found.radius <= radius_ceiling(data, noise=noise) * (1 + 1e-12)


@given(datasets_of_case("separable-compatible"))
def test_training_ends_at_the_radii_of_the_direction(data):
    limit = predict(data)
    radii = noise_tolerance(limit.direction, data).radii
    reach = 1e6
    found = noise_tolerance(limit.finite + reach * limit.direction, data).radii
    # <g, h> / ||g||: unit vectors move by 2 ||change|| / ||g||, and ||g|| >= reach / ||h||, as margins are >= 1
    lengths, finite = data.embeddings.norm(dim=1), radii.isfinite()
    moved = 2 * math.sqrt(2) * float(limit.finite.norm()) * lengths**2 / reach
    assert torch.equal(finite, found.isfinite())
    assert bool(((found - radii).abs() <= 1.01 * moved + 1e-9 * lengths)[finite].all())


@given(datasets("independent", max_contexts=4, max_vocab_size=2))
def test_two_tokens_margin_is_the_radius(data):
    assume(data.pattern.num_off_support)
    solution = solve_svm(data, tol=1e-12)
    found = noise_tolerance(solution.direction, data)
    assert found.radius == pytest.approx(solution.margin / math.sqrt(2), rel=1e-6)  # sqrt(tol)
    assert found.lower_bound() == pytest.approx(found.lower_bound("spectral"), rel=1e-12)


@pytest.mark.parametrize("size", [2, 4, 16])
def test_orthonormal_one_hot_data_the_frobenius_bound_is_loose_by_a_root(size):
    data = NTPDataset(torch.eye(size), torch.eye(size))
    found = noise_tolerance(torch.eye(size) - 1 / size, data)  # the closed form of W_mm
    assert found.radius == pytest.approx(math.sqrt(0.5), rel=1e-12)
    assert found.lower_bound() == pytest.approx(math.sqrt(0.5 / (size - 1)), rel=1e-12)
    assert found.lower_bound("spectral") == pytest.approx(math.sqrt(0.5), rel=1e-12)


@pytest.mark.parametrize("exponent", [-700, 0, 700])
@pytest.mark.parametrize("noise", NOISES)
def test_decoders_of_any_size_have_their_closest_flip(exponent, noise):
    data = NTPDataset([[3.0, 1.0], [-1.0, 4.0]], torch.eye(2))
    found = noise_tolerance(2.0**exponent * torch.tensor([[2.0, -1.0], [-1.0, 2.0]]).double(), data, noise=noise)
    flip = found.closest_flip(0)
    assert overtaken(found, 0, flip)
    # <(3, -3), (3, 1)> = 6, over the dual norm of (3, -3)
    expected = 6 / {"l1": 3.0, "l2": 3 * math.sqrt(2), "linf": 6.0}[noise]
    assert SIZE[noise](fractions(flip)) == pytest.approx(expected, rel=1e-11)
    assert found.lower_bound("spectral") > 0


def test_ties_count_and_count_for_ever():
    data = NTPDataset([[1.0, 2.0]], [[1.0, 0.0]])
    found = noise_tolerance([[1.0, 1.0], [1.0, 1.0]], data)
    assert found.radius == 0 and found.pairs.tolist() == [[0, 1]] and not found.closest_flip().any()
    assert noise_tolerance([[0.0, 0.0], [0.0, 0.0]], data).lower_bound() == 0


def test_full_supports_tolerate_everything():
    data = NTPDataset([[1.0], [2.0]], [[0.5, 0.5], [0.25, 0.75]])
    found = noise_tolerance([[1.0], [3.0]], data)
    assert found.radius == math.inf == radius_ceiling(data) == noise_tolerance([[0.0], [0.0]], data).lower_bound()
    assert flip_rate(found, 5.0, draws=3).flips == 0 and flip_bounds(found, 5.0) == (0.0, 0.0)
    assert "no noise" in found.summary()
    with pytest.raises(UsageError, match="context is 0"):
        found.closest_flip(0)


@pytest.mark.parametrize("factor", [1.3, 2.0, 5.0])
def test_measured_rates_lie_between_the_caps(factor):
    stream = torch.Generator().manual_seed(0)
    data = NTPDataset(torch.randn(3, 4, generator=stream, dtype=torch.float64), torch.eye(3))
    found = noise_tolerance(solve_svm(data).direction, data)
    low, high = flip_bounds(found, factor * found.radius)
    rate = flip_rate(found, factor * found.radius, draws=20_000).share
    slack = 4 * math.sqrt(0.25 / 20_000)  # four standard deviations
    assert low > 0 and low - slack <= rate <= high + slack


@given(st.integers(2, 9), st.floats(0.01, 0.99))
def test_caps_against_an_integral_over_the_sphere(dim, ratio):
    # the first coordinate of the sphere has density (1 - t^2)^((dim - 3)/2); in angles sin^(dim - 2)
    angles = torch.linspace(0, math.pi, 20_001, dtype=torch.float64)
    density = angles.sin() ** (dim - 2)
    inside = torch.linspace(0, math.acos(ratio), 20_001, dtype=torch.float64)
    expected = torch.trapezoid(inside.sin() ** (dim - 2), inside) / torch.trapezoid(density, angles)
    assert cap_share(torch.tensor([3 * ratio]), 3.0, dim).item() == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("noise", NOISES)
def test_noise_drawn_has_the_size_asked_for(noise):
    # one pair with w_y - w_v = e_1: flips exactly where the first coordinate is below -1
    data = NTPDataset([[1.0, 0.0]], [[1.0, 0.0]])
    found = noise_tolerance([[1.0, 0.0], [0.0, 0.0]], data, noise=noise)
    assert found.radius == pytest.approx(1.0, rel=1e-12)
    assert flip_rate(found, 0.99999, draws=2000).flips == 0
    assert flip_rate(found, 1.3, draws=2000).flips > 0


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda found: noise_tolerance(found.weights, "text"), "data"),
        (lambda found: noise_tolerance(found.weights.T, found.data), "weights has shape"),
        (lambda found: noise_tolerance(found.weights, found.data, noise="l3"), "noise is 'l3'"),
        (lambda found: radius_ceiling(found.data, noise="l3"), "noise is 'l3'"),
        (lambda found: found.lower_bound("nuclear"), "norm is 'nuclear'"),
        (lambda found: found.closest_flip(2), "context is 2"),
        (lambda found: flip_rate(found, -1.0), "size is -1.0"),
        (lambda found: flip_rate(found, 1.0, draws=0), "draws is 0"),
        (lambda found: flip_bounds(noise_tolerance(found.weights, found.data, noise="l1"), 1.0), "'l2' alone"),
    ],
)
def test_refusals(call, words):
    data = NTPDataset([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    with pytest.raises(UsageError, match=words):
        call(noise_tolerance([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], data))


def test_bounds_of_flips_where_some_pair_has_flipped_already():
    data = NTPDataset([[3.0, 4.0]], [[1.0, 0.0, 0.0]])
    crossed = noise_tolerance([[-1.0, 0.0], [1.0, 0.0], [-2.0, -1.0]], data)
    assert flip_bounds(crossed, 0.0) == flip_bounds(crossed, 2.9) == (1.0, 1.0)
    for size in (4.0, 8.0):
        lower, upper = flip_bounds(crossed, size)
        share = flip_rate(crossed, size, draws=20_000).share
        # six standard deviations of a share of 20,000
        assert lower - 0.022 <= share <= upper + 0.022 and lower > 0.5
    tied = noise_tolerance([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]], data)
    assert flip_bounds(tied, 0.5) == (1.0, 1.0) and flip_rate(tied, 0.5, draws=10).share == 1.0


def test_flips_of_a_decoder_do_not_depend_on_its_scale():
    data = NTPDataset(torch.eye(2), [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    weights = torch.tensor([[1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]], dtype=torch.float64)
    for scale in (5e-324, 1e-300, 1.0, 1e308):
        found = noise_tolerance(scale * weights, data)
        assert flip_rate(found, 0.9 * found.radius, draws=200).flips == 0
        assert flip_rate(found, 2 * found.radius, draws=200).flips > 0


def test_flips_need_a_tolerance():
    for ask in (flip_rate, flip_bounds):
        with pytest.raises(UsageError, match="tolerance is None"):
            ask(None, 1.0)
