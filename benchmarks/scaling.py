"""``python -m benchmarks.scaling``: what a step costs here, and what it would cost for 50,000 tokens and 10^9 contexts.

``--steps`` measures the seconds of one step of gradient descent on one core over some sizes, and how fast that core
multiplies and copies; ``--processes`` measures the speed-up of contexts shared out among processes, one core each. What
is measured goes to ``benchmarks/scaling.json``; the tables of the page ``docs/scaling.md`` are written from that file.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import scipy.optimize
import torch
import torch.distributed as dist

import ntp_theory as ntp
from ntp_theory.descent import GradientDescent
from ntp_theory.distributed import shard_contexts
from ntp_theory.runs import write_text
from ntp_theory.softmax import ENTRIES

RESULTS = Path(__file__).with_suffix(".json")
TABLES = Path("docs/benchmarks/scaling.inc")
# (V, m, d) as in the plan: m >= d, where steps work on the entries of W, and more logits than caches hold
SIZES = (
    (4000, 4000, 64),
    (2000, 8000, 64),
    (8000, 2000, 128),
    (4000, 4000, 256),
    (8000, 4000, 128),
    (16000, 2000, 512),
)
SHARED = ((500, 1000, 64), (2000, 2000, 128), (4000, 4000, 128))
PLANNED = (50_000, 10**9, 1024)
SUPPORT = 8  # next tokens after a context of the plan, on average
# By logit: written by one product and read by the other, and in between read for the maximum and for the sum, read and
# written by the subtraction, the exponential and the scaling
BYTES = 8 * (2 + 1 + 1 + 3 * 2)


@dataclass(frozen=True)
class Hardware:
    """Peak rates of one device, in double precision: flop/s, bytes/s of its memory and of its network link."""

    name: str
    flops: float
    memory: float
    link: float


H100 = Hardware("NVIDIA H100 SXM", 67e12, 3.35e12, 50e9)  # data sheet: FP64 tensor cores, HBM3; 400 Gbit/s a GPU


@dataclass(frozen=True)
class Fit:
    """``seconds = 4 m V d / flops + m V / logits``, and the largest relative error of that."""

    flops: float
    logits: float
    error: float

    @classmethod
    def of(cls, sizes: Sequence[Sequence[int]], seconds: Sequence[float]) -> Fit:
        """Least squares of the relative errors; no coefficient is negative."""
        v, m, d = np.array(sizes, dtype=float).T
        columns = np.stack([4 * m * v * d, m * v], 1) / np.array(seconds)[:, None]
        scale = columns.max(0)
        coefficients = scipy.optimize.nnls(columns / scale, np.ones(len(m)))[0] / scale
        with np.errstate(divide="ignore"):
            flops, logits = 1 / coefficients
        return cls(flops, logits, float(np.abs(columns @ coefficients - 1).max()))

    def __call__(self, size: Sequence[int]) -> float:
        """The seconds of a step."""
        v, m, d = size
        return 4 * m * v * d / self.flops + m * v / self.logits


def measure_steps() -> dict[str, Any]:
    """Processor seconds of a step, of one thread; the machine's own rates are taken in the same minute."""
    torch.set_num_threads(1)
    square = torch.rand(1500, 1500, dtype=torch.float64)
    source, target = (torch.zeros(2**25, dtype=torch.float64) for _ in range(2))
    flops = 2 * 1500**3 / _seconds(lambda: square @ square)
    memory = 2 * 8 * 2**25 / _seconds(lambda: target.copy_(source))
    return {
        "flops": flops,
        "memory": memory,
        "steps": [[*size, _seconds(_stepper(_data(*size)))] for size in SIZES],
    }


def measure_processes() -> list[list[float]]:
    """(V, m, d), processes, wall seconds of a step."""
    rows = []
    for count in range(1, len(os.sched_getaffinity(0)) + 1):
        command = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
        command += ["--module", "benchmarks.scaling", "--worker"]
        done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
        rows += [json.loads(line) for line in done.stdout.splitlines()]
    return rows


def worker() -> None:
    """One of the processes, on a core of its own."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank = dist.get_rank()
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[rank]})
    for size in SHARED:
        step = _stepper(shard_contexts(_data(*size)))
        found = []
        for _ in range(5):
            step()
            dist.barrier()
            start = time.perf_counter()
            for _ in range(10):
                step()
            found.append((time.perf_counter() - start) / 10)
        if rank == 0:
            print(json.dumps([*size, dist.get_world_size(), min(found)]), flush=True)
    dist.destroy_process_group()


def plan(hardware: Hardware, count: int, *, efficiency: tuple[float, float]) -> dict[str, float]:
    """What a step of `PLANNED` would cost: seconds by kind of work, and GB on each device."""
    v, m, d = PLANNED
    products, logits = efficiency
    return {
        "products": 4 * m * v * d / (count * products * hardware.flops),
        "logits": BYTES * m * v / (count * logits * hardware.memory),
        "reduction": 2 * 8 * v * d * (count - 1) / count / hardware.link,
        # embeddings, entries of the supports in seven arrays, a range of logits, and W, its change, and two buffers
        "memory": 8 * (m * (d + 7 * SUPPORT) / count + ENTRIES + 4 * v * d) / 1e9,
    }


def tables(results: dict[str, Any]) -> str:
    """The tables of the page."""
    parts = []
    if steps := results.get("steps"):
        *sizes, seconds = zip(*steps["steps"], strict=True)
        sizes = list(zip(*sizes, strict=True))
        fit = Fit.of(sizes, seconds)
        # at most 1: the peaks are measured, too
        efficiency = min(1.0, fit.flops / steps["flops"]), min(1.0, BYTES * fit.logits / steps["memory"])
        here = Hardware("one core, as measured", steps["flops"], steps["memory"], np.inf)
        rows = [[*size, f"{1e3 * s:.0f}", f"{1e3 * fit(size):.0f}"] for size, s in zip(sizes, seconds, strict=True)]
        plans = [
            (hardware, count, plan(hardware, count, efficiency=efficiency))
            for hardware, count in ((here, 1), (H100, 128), (H100, 1024))
        ]
        parts += [
            f"One core, measured {steps['date']} on {steps['machine']}:",
            _table(["V", "m", "d", "measured, ms", "fitted, ms"], rows),
            f"The fit: {fit.flops / 1e9:.1f} Gflop/s in the products and {1e9 / fit.logits:.2f} ns a logit; largest "
            f"relative error {100 * fit.error:.0f}%. The core itself multiplies at {steps['flops'] / 1e9:.1f} Gflop/s "
            f"and copies at {steps['memory'] / 1e9:.1f} GB/s, so the products run at {100 * efficiency[0]:.0f}% of its "
            f"peak, and the {BYTES} bytes a logit at {100 * efficiency[1]:.0f}% of its bandwidth.",
            f"Extrapolated to $V={PLANNED[0]}$, $m=10^{round(np.log10(PLANNED[1]))}$, $d={PLANNED[2]}$:",
            _table(
                ["devices", "products, s", "logits, s", "reduction, s", "a step, s", "10,000 steps, days", "GB each"],
                [
                    [
                        f"{count} x {hardware.name}",
                        *(f"{found[kind]:.2g}" for kind in ("products", "logits", "reduction")),
                        f"{(step := found['products'] + found['logits'] + found['reduction']):.2g}",
                        f"{step * 1e4 / 86400:.2g}",
                        f"{found['memory']:.3g}",
                    ]
                    for hardware, count, found in plans
                ],
            ),
        ]
    if shared := results.get("processes"):
        alone = {tuple(row[:3]): row[4] for row in shared["rows"] if row[3] == 1}
        rows = [
            [*row[:4], f"{1e3 * row[4]:.2f}", f"{alone[tuple(row[:3])] / row[4]:.2f}"] for row in sorted(shared["rows"])
        ]
        parts += [
            f"Processes that share the contexts, one core each, measured {shared['date']} on {shared['machine']}:",
            _table(["V", "m", "d", "processes", "ms a step", "speed-up"], rows),
        ]
    return "\n\n".join(parts) + "\n"


def _data(v: int, m: int, d: int) -> ntp.NTPDataset:
    return ntp.construct.random(v, d, m, (1, 4), rng=0)


def _stepper(data: ntp.NTPDataset) -> Callable[[], object]:
    method = GradientDescent()
    state = method.init(data, data.embeddings.new_zeros(data.vocab_size, data.dim))

    def step() -> None:
        nonlocal state
        state = method.step(state)

    return step


def _seconds(call: Callable[[], object]) -> float:
    """Processor time of a call, the shortest of some: another process may disturb the caches, never speed it up."""
    call()
    found: list[float] = []
    while len(found) < 5 or (sum(found) < 2.0 and len(found) < 200):
        start = time.process_time()
        call()
        found.append(time.process_time() - start)
    return min(found)


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def _machine() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    name = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    return f"{name}, {os.cpu_count()} cores, torch {torch.__version__}, numpy {np.__version__}"


def main() -> None:
    """Measure what is asked for, then write the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--steps", action="store_true", help="measure the cost of a step (1 minute)")
    parser.add_argument("--processes", action="store_true", help="measure the speed-up (1 minute on idle cores)")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker()
        return
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    now = {"date": date.today().isoformat(), "machine": _machine()}
    if options.steps:
        results["steps"] = now | measure_steps()
    if options.processes:
        results["processes"] = now | {"rows": measure_processes()}
    write_text(RESULTS, json.dumps(results, indent=1) + "\n")
    text = tables(results)
    write_text(TABLES, text)
    print(text)


if __name__ == "__main__":
    main()
