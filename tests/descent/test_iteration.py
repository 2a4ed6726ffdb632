"""Steps in coordinates against plain steps of W.

Error bounds. In coordinates a logit is a sum of numbers no larger than `sizes`, of `terms` products; with that in place
of |W| |h| and d, its rounding and that of the residual are those of tests/test_loss.py. Adding the step to C rounds
like adding it to W, as it shows in W. An orthonormal basis from m reflections of d entries is off by 10 m d EPS, and so
are the features; that is the number of terms here. For eta < 2/L errors of W do not grow from step to step (see
tests/descent/methods/test_gd.py), so those of all steps add up.
"""

from __future__ import annotations

import tracemalloc
from unittest.mock import patch

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import softmax
from ntp_theory.construct import a2, random
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent.coordinates import Coordinates
from ntp_theory.descent.iteration import Iteration
from ntp_theory.descent.smoothness import default_step_size
from ntp_theory.loss import unchecked_gradient
from tests.descent.methods.test_gd import STEPS, gradient_error, larger_fractions
from tests.test_loss import EPS, any_kind, total_size

KINDS = ("entries", "orthogonal", "gram")
kinds = st.sampled_from(KINDS)


def in_kind(data, kind):
    return getattr(Coordinates, kind)(data.embeddings)


def sizes(space, coordinates, start, data):
    """Sizes (V, m) of the numbers that a logit is made of, and (V, d) of those that W is made of."""
    h, c = data.embeddings.abs(), coordinates.abs()
    if space.kind == "entries":
        return c @ h.T, c
    if space.kind == "Gram":
        return start.abs() @ h.T + c @ (h @ h.T), start.abs() + c @ h
    rows = c.norm(dim=1, keepdim=True)
    return start.abs() @ h.T + rows * h.norm(dim=1), start.abs() + rows


def step_error(space, coordinates, start, data, step_size):
    """Bound on what a step in coordinates adds to the error of W, in Frobenius norm; it counts W_0 too, as slack."""
    m, d = data.num_contexts, data.dim
    terms = {"entries": d, "Gram": m + d, "orthogonal": 10 * m * d}[space.kind]
    of_logits, of_weights = sizes(space, coordinates, start, data)
    logs = -float(data.log_conditionals.min())
    delta = EPS * ((terms + 8) * float(of_logits.max()) + 2 * logs + data.vocab_size + m + terms + 10)
    # the entry of W is rounded when it is changed, and when it is made from the coordinates
    rounding = EPS * (len(coordinates[0]) + 2) * float(of_weights.norm())
    return step_size * 4 * delta * total_size(data) * start.numel() ** 0.5 + rounding


@given(any_kind, larger_fractions, kinds)
def test_every_kind_of_coordinates_makes_the_run_of_plain_steps(case, fraction, kind):
    data, start = case
    space, step_size = in_kind(data, kind), fraction * default_step_size(data)
    iteration = Iteration([data], [space], [start], [step_size])
    weights, coordinates, bound = start, iteration.origin, 0.0
    for _ in range(STEPS):
        bound += step_size * gradient_error(weights, data) + EPS * float(weights.norm())
        bound += step_error(space, coordinates, start, data, step_size)
        weights = weights - step_size * unchecked_gradient(weights, data)
        coordinates = iteration.step(coordinates)
        last = step_error(space, coordinates, start, data, step_size) + EPS * float(weights.norm())
        assert float((iteration.decoder(coordinates) - weights).norm()) <= bound + last


@given(any_kind, larger_fractions, st.integers(1, 12))
def test_contexts_in_pieces_make_the_same_run(case, fraction, entries):
    data, start = case
    space, step_size = in_kind(data, "entries"), fraction * default_step_size(data)
    whole = Iteration([data], [space], [start], [step_size])
    with patch.object(softmax, "ENTRIES", entries):
        pieces = Iteration([data], [space], [start], [step_size])
    assert len(pieces._parts) == -(-data.num_contexts // max(1, entries // data.vocab_size))
    one = other = start
    bound = 0.0
    for _ in range(STEPS):
        bound += 2 * step_error(space, one, start, data, step_size) + data.num_contexts * EPS * float(one.norm())
        one, other = whole.step(one), pieces.step(other)
        last = data.num_contexts * EPS * float(one.norm())
        assert float((one - other).norm()) <= bound + last


@pytest.mark.parametrize("kind", KINDS)
def test_torch_makes_the_steps_that_numpy_makes(kind):
    data, start = a2(), torch.full((10, 60), 0.01, dtype=torch.float64)
    space, bound = in_kind(data, kind), 0.0
    ours = Iteration([data], [space], [start], [0.5])
    with patch.object(softmax, "FEW", 0), patch.object(torch, "get_num_threads", lambda: 2):
        theirs = Iteration([data], [space], [start], [0.5])
    assert theirs._ops is torch and ours._ops is np
    one, other = ours.origin, theirs.origin
    for _ in range(20):
        bound += 2 * step_error(space, one, start, data, 0.5)
        one, other = ours.step(one), theirs.step(other)
    assert float((ours.decoder(one) - theirs.decoder(other)).norm()) <= bound


@pytest.mark.parametrize("few", [0, 250])
def test_pieces_of_any_size_are_worked_on_alike(few):
    """30 contexts and 20 of 10 tokens: torch takes the first, and then the second, too."""
    data, start = a2(), torch.zeros(10, 60, dtype=torch.float64)
    several = patch.object(torch, "get_num_threads", lambda: 2)
    with patch.multiple(softmax, FEW=few, ENTRIES=300), several:
        iteration = Iteration([data], [in_kind(data, "entries")], [start], [0.5])
    found = iteration.step(start)
    assert len(iteration._parts) == 2 and iteration._ops is torch
    whole = Iteration([data], [in_kind(data, "entries")], [start], [0.5]).step(start)
    assert float((found - whole).norm()) <= 2 * step_error(in_kind(data, "entries"), start, start, data, 0.5)


# --- the choice -------------------------------------------------------------------------------------


@given(any_kind)
def test_the_choice_of_coordinates(case):
    """Plain entries unless m < d; the Gram matrix if its condition is below EPS^(-1/4)."""
    data, _ = case
    found, limit = Coordinates.of(data).kind, EPS**-0.25
    if data.num_contexts >= data.dim:
        assert found == "entries"
        return
    values = np.linalg.svd(data.embeddings.numpy(), compute_uv=False)
    condition = (values[0] / values[-1]) ** 2 if values[-1] > 0 else np.inf
    if abs(condition / limit - 1) > 1e-6:
        assert found == ("Gram" if condition < limit else "orthogonal")


@pytest.mark.parametrize(
    ("embeddings", "kind"),
    [
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]], "Gram"),
        ([[1.0, 0.0, 0.0], [1.0, 1e-3, 0.0]], "orthogonal"),
        ([[1.0, 0.0, 0.0], [2.0, 0.0, 0.0]], "orthogonal"),
        ([[1.0, 0.0], [0.0, 1.0]], "entries"),
    ],
)
def test_choices_by_hand(embeddings, kind):
    assert Coordinates.of(NTPDataset(embeddings, [[1.0, 0.0], [0.0, 1.0]])).kind == kind


def test_single_precision_has_fewer_digits_to_lose():
    data = NTPDataset([[1.0, 0.0, 0.0], [0.0, 0.1, 0.0]], [[1.0, 0.0], [0.0, 1.0]])
    assert (Coordinates.of(data).kind, Coordinates.of(data.to(dtype=torch.float32)).kind) == ("Gram", "orthogonal")


# --- buffers ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [0.0, 0.1])
def test_a_step_leaves_where_it_comes_from_alone(kind, size):
    data, start = a2(), torch.full((10, 60), size, dtype=torch.float64)
    iteration = Iteration([data], [in_kind(data, kind)], [start], [0.5])
    coordinates = iteration.origin
    for _ in range(5):
        before = coordinates.clone()
        after = iteration.step(coordinates)
        assert torch.equal(coordinates, before) and not torch.equal(after, before)
        coordinates = after
    assert torch.equal(start, torch.full_like(start, size))


@pytest.mark.parametrize(("num_contexts", "kind"), [(30, "Gram"), (90, "entries")])
def test_a_step_allocates_nothing_large(num_contexts, kind):
    data = random(4000, 60, num_contexts, 3)
    start = torch.ones(4000, 60, dtype=torch.float64)
    iteration = Iteration([data], [Coordinates.of(data)], [start], [0.5])
    assert iteration._space.kind == kind
    coordinates = iteration.step(iteration.origin)
    tracemalloc.start()
    iteration.step(coordinates)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.1 * 8 * 4000 * num_contexts


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("kind", KINDS)
def test_a_graph_on_the_gpu_makes_the_steps_of_the_cpu(kind):
    data, start = a2(), torch.full((10, 60), 0.01, dtype=torch.float64)
    space, there = in_kind(data, kind), data.to(device="cuda")
    ours, bound = Iteration([data], [space], [start], [0.5]), 0.0
    theirs = Iteration([there], [in_kind(there, kind)], [start.cuda()], [0.5])
    assert all(move.__name__ == "replay" for move in theirs._moves), "recorded"
    one, other = ours.origin, theirs.origin
    for _ in range(20):
        bound += 2 * step_error(space, one, start, data, 0.5)
        one, other = ours.step(one), theirs.step(other)
    assert float((ours.decoder(one) - theirs.decoder(other).cpu()).norm()) <= bound
