"""The contestants, and what they are measured on."""

from __future__ import annotations

import datetime
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import ntp_theory as ntp
from ntp_theory import NTPDataset
from ntp_theory.descent import GradientDescent
from ntp_theory.descent.coordinates import Coordinates
from ntp_theory.descent.ensemble import descend_many

__all__ = ["measured"]

STEPS = 10_000  # of a run at the size of experiment A.2
RUNS = 64  # of an ensemble
SIZES = [(1000, 256, 500), (1000, 256, 200), (1000, 256, 5000), (10_000, 512, 1000), (100, 64, 10_000)]  # V, d, m
ON_GPU = (50_000, 768, 16_000)
Results = dict[str, Any]


def measured(repeats: int) -> Results:
    """Every figure of the page."""
    torch.set_num_threads(1)
    found = {"described": _described(), "repeats": repeats, "one": _one(repeats), "many": _many(repeats)}
    found["sizes"] = [_size(v, d, m, repeats) for v, d, m in SIZES]
    found["gpu"] = [_gpu(dtype, repeats) for dtype in ("float64", "float32")] if torch.cuda.is_available() else []
    return found


def autograd(data: NTPDataset, steps: int, step_size: float) -> Tensor:
    """Gradient descent as PyTorch has it: the fastest of several such loops (losses, optimisers) at this size."""
    weights = torch.zeros(data.vocab_size, data.dim, dtype=torch.float64, requires_grad=True)
    h, negative = data.embeddings, -(data.probabilities.to_dense() * data.weights[:, None]).view(-1)
    for _ in range(steps):
        loss = torch.dot(negative, torch.log_softmax(h @ weights.T, 1).view(-1))
        loss.backward()
        with torch.no_grad():
            weights.sub_(weights.grad, alpha=step_size)
        weights.grad = None
    return weights.detach()


def in_turns(contestants: dict[str, Callable[[], object]], repeats: int, clock: Callable[[], float]) -> Results:
    """Seconds of each contestant (medians), and how many times as long as the first it takes (medians of ratios)."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(repeats + 1):
        for name, contestant in contestants.items():
            start = clock()
            contestant()
            seconds[name].append(clock() - start)
    first = next(iter(seconds.values()))
    return {
        name: {
            "seconds": statistics.median(own[1:]),  # the first warms up
            "times": statistics.median(b / a for a, b in zip(first[1:], own[1:], strict=True)),
        }
        for name, own in seconds.items()
    }


def _one(repeats: int) -> Results:
    data = ntp.construct.a2()
    contestants: dict[str, Callable[[], object]] = {
        "descend, last step recorded": lambda: ntp.descend(data, steps=STEPS, step_size=0.5, record=[STEPS]),
        "descend, recorded as by default": lambda: ntp.descend(data, steps=STEPS, step_size=0.5),
        "autograd": lambda: autograd(data, STEPS, 0.5),
    }
    return {"steps": STEPS, "contestants": in_turns(contestants, repeats, time.process_time)}


def _many(repeats: int) -> Results:
    datasets = [ntp.construct.a2(rng=seed) for seed in range(RUNS)]
    contestants: dict[str, Callable[[], object]] = {
        "descend_many, last step recorded": lambda: descend_many(datasets, steps=STEPS, step_size=0.5, record=[STEPS]),
        "descend_many, recorded as by default": lambda: descend_many(datasets, steps=STEPS, step_size=0.5),
        "autograd, one run": lambda: autograd(datasets[0], STEPS, 0.5),
    }
    return {"steps": STEPS, "runs": RUNS, "contestants": in_turns(contestants, repeats, time.process_time)}


def _size(v: int, d: int, m: int, repeats: int) -> Results:
    """A step beside the two products H W^T and R^T H, by whichever library is faster at them."""
    data = ntp.construct.random(v, d, m, (1, 4))
    method = GradientDescent()
    state = method.init(data, torch.zeros(v, d, dtype=torch.float64))
    h, w, r, g = data.embeddings, torch.randn(v, d).double(), torch.empty(v, m).double(), torch.empty(v, d).double()

    def step() -> None:
        nonlocal state
        state = method.step(state)

    def numpy_products() -> None:
        np.dot(w.numpy(), h.numpy().T, out=r.numpy())
        np.dot(r.numpy(), h.numpy(), out=g.numpy())

    def torch_products() -> None:
        torch.mm(w, h.T, out=r)
        torch.mm(r, h, out=g)

    count = max(1, int(2e9 / (4 * v * d * m)))
    contestants = {"step": step, "products of numpy": numpy_products, "products of torch": torch_products}
    contestants = {name: _often(one, count) for name, one in contestants.items()}
    contestants["autograd"] = lambda: autograd(data, count, 1e-3)
    found = in_turns(contestants, repeats, time.process_time)
    for one in found.values():
        one["seconds"] /= count
    return {"V": v, "d": d, "m": m, "coordinates": Coordinates.of(data).kind, "contestants": found}


def _often(function: Callable[[], None], count: int) -> Callable[[], None]:
    def repeated() -> None:
        for _ in range(count):
            function()

    return repeated


def _gpu(dtype: str, repeats: int) -> Results:
    """A step beside one product of large square matrices, which is as fast as the device goes."""
    v, d, m = ON_GPU
    kind = getattr(torch, dtype)
    data = ntp.construct.random(v, d, m, (1, 4)).to(device="cuda", dtype=kind)
    method = GradientDescent()
    state = method.init(data, torch.zeros(v, d, dtype=kind, device="cuda"))
    a, b, c = (torch.ones(8192, 8192, dtype=kind, device="cuda") for _ in range(3))

    def step() -> None:
        nonlocal state
        state = method.step(state)
        torch.cuda.synchronize()

    def square() -> None:
        torch.mm(a, b, out=c)
        torch.cuda.synchronize()

    found = in_turns({"step": step, "square": square}, repeats, time.perf_counter)
    rates = 4 * v * d * m / found["step"]["seconds"], 2 * 8192**3 / found["square"]["seconds"]
    return {"V": v, "d": d, "m": m, "dtype": dtype, "teraflops": rates[0] / 1e12, "of_peak": rates[0] / rates[1]}


def _described() -> Results:
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "date": datetime.date.today().isoformat(),
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "versions": {
            "Python": platform.python_version(),
            "ntp_theory": ntp.__version__,
            "numpy": np.__version__,
            "torch": torch.__version__,
        },
    }
