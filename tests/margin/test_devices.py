"""One implementation for every device: where there is a GPU, it gives what the CPU gives."""

from __future__ import annotations

import pytest
import torch

from ntp_theory import solve_svm, solve_svms
from ntp_theory.construct import random

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def test_a_gpu_gives_the_same_solution_and_certificate():
    data = random(30, 40, 25, (1, 3), rng=0)
    here, there = solve_svm(data, refine=True), solve_svm(data.to(device="cuda"), refine=True)
    assert there.direction.is_cuda and there.tail.is_cuda
    assert (there.direction.cpu() - here.direction).norm() <= here.distance_bound() + there.distance_bound()
    assert there.distance_bound() <= 1e-10 * there.norm


def test_a_batch_on_a_gpu():
    datasets = [random(6, 8, 5, (1, 2), rng=k) for k in range(10)]
    here, there = solve_svms(datasets), solve_svms([data.to(device="cuda") for data in datasets])
    for one, other in zip(here, there, strict=True):
        assert type(one) is type(other)
