"""Live bytes are counted operation by operation, memory that is shared once, in backward passes too."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.sequence.measures import peak_bytes


def zeros(count):
    return torch.zeros(count, dtype=torch.float64)


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), min_size=1, max_size=20))
def test_what_is_kept_and_what_is_dropped(made):
    """Each tensor is kept to the end or dropped at once."""
    kept, expected, now = [], 0, 0
    for count, stays in made:
        expected = max(expected, now + 8 * count)
        now += 8 * count * stays

    def run():
        for count, stays in made:
            fresh = zeros(count)
            if stays:
                kept.append(fresh)
            del fresh

    assert peak_bytes(run) == expected


def test_views_and_changes_in_place_take_no_memory():
    def run():
        x = zeros(100)
        y = x.view(10, 10).T[2:]
        y += 1.0
        x.mul_(2)

    assert peak_bytes(run) == 800


def test_what_was_there_before():
    x = zeros(100)
    assert peak_bytes(lambda: x + 1) == 800
    assert peak_bytes(lambda: x + 1, held=[x, x.view(10, 10)]) == 1600
    assert peak_bytes(lambda: x.view(10, 10)) == 800, "and a view of it brings it in"


def test_backward_passes():
    """Two values are kept for the way back, whose first product is a third; x was there before."""
    x = torch.ones(100, dtype=torch.float64, requires_grad=True)

    def run():
        x.exp().exp().sum().backward()

    forward = 800 * 2 + 8
    assert peak_bytes(run) == forward + 8 + 800, "the gradient of the sum is one number, shown 100 times"
    assert x.grad is not None


def test_measures_can_be_taken_again():
    assert [peak_bytes(lambda: zeros(50)) for _ in range(3)] == [400] * 3
