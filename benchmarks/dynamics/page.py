"""The page of the documentation; every number on it comes from the data file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["written"]

INTRODUCTION = """\
# Benchmarks of gradient descent

How fast `descend` and `descend_many` step. This page is written by `python -m benchmarks.dynamics`, which keeps its
figures in `benchmarks/dynamics/results.json`. All contestants run in one process, one after the other in turns, with
one thread; times are of the processor, medians of REPEATS turns, and ratios are medians of the ratios within a turn.

DESCRIBED

The loop in PyTorch that stands beside ours has a parameter in double precision, `log_softmax`, `backward()` and a step
in place under `no_grad`. Its loss is one dot product with the fixed $-\\hat\\pi_j\\hat p_{j,z}$; that and the manual
step are faster than `cross_entropy` and `torch.optim.SGD`, which take up to twice as long at the small size. It records
nothing, and its gradient loses the tail.
"""


def written(results: dict[str, Any]) -> str:
    """The page."""
    described = results["described"]
    versions = ", ".join(f"{name} {version}" for name, version in described["versions"].items())
    machine = f"{described['cpu']}, {described['cores']} cores, GPU: {described['gpu'] or 'none'}"
    introduction = INTRODUCTION.replace("REPEATS", str(results["repeats"]))
    parts = [introduction.replace("DESCRIBED", f"Measured {described['date']} on {machine}; {versions}.")]
    parts += [_one(results["one"]), _many(results["many"]), _sizes(results["sizes"]), _gpu(results["gpu"])]
    return "\n".join(parts)


def _one(one: dict[str, Any]) -> str:
    plain, steps = one["contestants"]["autograd"], one["steps"]
    rows = [
        [name, f"{found['seconds'] / steps * 1e6:.1f}", f"{plain['times'] / found['times']:.1f}"]
        for name, found in one["contestants"].items()
    ]
    return (
        f"## One run\n\nThe size of experiment A.2, $V=10$, $m=50$, $d=60$: {steps} steps from zero, everything\n"
        "between call and return counted. By default some 20 steps a decade are recorded, each with the exact split\n"
        "of its loss.\n\n" + _table(["", "microseconds a step", "times as fast as autograd"], rows)
    )


def _many(many: dict[str, Any]) -> str:
    plain, each = many["contestants"]["autograd, one run"], many["steps"] * many["runs"]
    rows = [
        [name, f"{found['seconds'] / each * 1e6:.1f}", f"{many['runs'] * plain['times'] / found['times']:.1f}"]
        for name, found in many["contestants"].items()
        if found is not plain
    ]
    rows.append(["autograd, one run", f"{plain['seconds'] / many['steps'] * 1e6:.1f}", "1.0"])
    return f"## An ensemble\n\n{many['runs']} datasets of that size at once, {many['steps']} steps each.\n\n" + _table(
        ["", "microseconds a step of a run", "times as fast as autograd"], rows
    )


def _sizes(sizes: Sequence[dict[str, Any]]) -> str:
    rows = []
    for size in sizes:
        found = size["contestants"]
        products = min(found[f"products of {library}"]["times"] for library in ("numpy", "torch"))
        rows.append(
            [
                *(str(size[name]) for name in "Vdm"),
                size["coordinates"],
                f"{found['step']['seconds'] * 1e3:.2f}",
                f"{1 / products:.2f}",
                f"{found['autograd']['times']:.1f}",
            ]
        )
    heads = ["V", "d", "m", "coordinates", "milliseconds a step", "of the two products", "times as fast as autograd"]
    return (
        "## Larger sizes\n\nA step beside the two products that it is made of, $HW^\\top$ and $R^\\top H$, by the\n"
        "faster of numpy and torch and nothing else. In Gram coordinates it takes one smaller product instead.\n\n"
        + _table(heads, rows)
    )


def _gpu(rows: Sequence[dict[str, Any]]) -> str:
    if not rows:
        return "## On a GPU\n\nNot measured: the machine has none.\n"
    cells = [
        [*(str(row[name]) for name in "Vdm"), row["dtype"], f"{row['teraflops']:.1f}", f"{row['of_peak']:.0%}"]
        for row in rows
    ]
    return "## On a GPU\n\nProducts of a step a second, beside those of two square matrices of size 8192.\n\n" + _table(
        ["V", "d", "m", "type", "teraflops", "of the square product"], cells
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
