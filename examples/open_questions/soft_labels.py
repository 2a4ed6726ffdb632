"""Where sign and spectral descent, Signum, Muon and Adam go on soft labels: measured, no theorem.

On one-hot data each of them ends at the largest margin in a norm of its own (arXiv 2502.04664). Nothing is proved where
contexts have several next tokens. The figure shows what is recorded in the file of the same name; some rows are
measured again. ``--full`` measures all of them anew (about half an hour on two cores) and rewrites the file.
"""

import argparse
import csv
import io
import json
import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.stats import t as student
from torch import Tensor

import ntp_theory as ntp
from ntp_theory import descent, figures
from ntp_theory.descent.gradients.projection import finite_part
from ntp_theory.descent.smoothness import default_step_size
from ntp_theory.figures import style
from ntp_theory.loss import gradient_parts
from ntp_theory.margin.norms import as_norm
from ntp_theory.runs import write_text
from ntp_theory.sweeps import processes, sweep

FILE = Path(__file__).with_suffix(".csv")
LABEL = "steepest/soft-labels"
SOURCE = "derived (numerical)"
NORMS = ("frobenius", "max", "spectral")
ETA = 0.1
RECORDS = (100, 200, 500, 1000, 2000, 5000, 10000)
SIZES = (1, 2, 3)  # S, next tokens of a context
SEEDS = range(5)
# (method, S, seed, k) of the rows measured again
AGAIN = (("sign", 1, 0, 500), ("sign", 3, 1, 200), ("spectral", 2, 2, 200), ("split-sign", 3, 3, 200))


# -- methods of one's own: `descend` takes any object with `init` and `step` -------------------------------------------


@dataclass(frozen=True, eq=False)
class SplitState:
    """W_k (V, d), what it descends on, eta_F, the last eta_k, k, and the logarithm of the sum of the eta_k."""

    weights: Tensor
    data: ntp.NTPDataset
    finite_step_size: float
    step_size: float
    count: int = 0
    log_elapsed: float = -math.inf


@dataclass(frozen=True)
class SplitDescent(ABC):
    """``W_{k+1} = W_k - eta_F P_F g - eta_k D_k`` with D_k in the complement of F, made of ``P_perp g`` alone."""

    step_size: float = ETA
    name: ClassVar[str]

    def init(self, data: ntp.NTPDataset, weights: Tensor) -> SplitState:
        """Start at ``weights`` (V, d)."""
        return SplitState(weights, data, default_step_size(data), self.step_size)

    def step(self, state: SplitState) -> SplitState:
        """A plain gradient step on F, and one of size eta_k off it."""
        data, parts = state.data, gradient_parts(state.weights, state.data)
        on_f = finite_part(parts.tail, data)
        eta = self.step_size / math.sqrt(state.count + 1)
        weights = state.weights - state.finite_step_size * (parts.in_support + math.exp(parts.log_scale) * on_f)
        weights = weights - eta * self.direction(parts.tail - on_f, data)
        elapsed = float(np.logaddexp(state.log_elapsed, math.log(eta)))
        return SplitState(weights, data, state.finite_step_size, eta, state.count + 1, elapsed)

    @abstractmethod
    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k from a positive multiple of ``P_perp g``."""


@dataclass(frozen=True)
class SplitSign(SplitDescent):
    """``D_k = P_perp sign(P_perp g)``."""

    name: ClassVar[str] = "split-sign"

    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k."""
        return off_f(sign(across), data)


@dataclass(frozen=True)
class SplitSpectral(SplitDescent):
    """``D_k = P_perp polar(P_perp g)``."""

    name: ClassVar[str] = "split-spectral"

    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k."""
        return off_f(polar(across), data)


@dataclass(frozen=True)
class SteepestOffF(SplitDescent):
    """D_k the matrix in the complement of F with entries of at most 1 that has the largest product with g."""

    name: ClassVar[str] = "steepest-off-F"

    def direction(self, across: Tensor, data: ntp.NTPDataset) -> Tensor:
        """D_k, by a linear program."""
        cost = -(across / across.abs().max()).flatten().numpy()
        found = linprog(cost, A_eq=generators(data), b_eq=np.zeros(len(generators(data))), bounds=(-1, 1))
        return off_f(torch.from_numpy(found.x).reshape(across.shape), data)  # what the solver leaves on F


def generators(data: ntp.NTPDataset) -> NDArray[np.float64]:
    """Matrices that span F, as rows (n, V d): ``(e_z - e_a) h_j^T``, a the first token of S_j."""
    pattern = data.pattern
    units = torch.eye(data.vocab_size, dtype=torch.float64)
    tokens = units[pattern.tokens] - units[pattern.anchors[pattern.contexts]]
    rows = torch.einsum("nv,nd->nvd", tokens, data.embeddings[pattern.contexts]).flatten(1)
    return rows[pattern.tokens != pattern.anchors[pattern.contexts]].numpy()


def off_f(matrix: Tensor, data: ntp.NTPDataset) -> Tensor:
    """``P_perp`` of a matrix."""
    return matrix - finite_part(matrix, data)


def sign(matrix: Tensor) -> Tensor:
    """Signs of the entries; 0 where the projection leaves nothing but rounding."""
    return torch.where(matrix.abs() > 1e-12 * matrix.abs().max(), matrix.sign(), 0.0)


def polar(matrix: Tensor) -> Tensor:
    """``U V^T`` without the singular values that are nothing but rounding: columns of a gradient sum to zero."""
    u, s, vh = torch.linalg.svd(matrix, full_matrices=False)
    return (u * (s > 1e-12 * s[0])) @ vh


# -- the study ---------------------------------------------------------------------------------------------------------

# The methods and how far they are run. The first ones move every entry by itself.
ENTRYWISE: dict[str, tuple[Any, int]] = {
    "sign": (descent.SignDescent(ETA), 10000),
    "signum": (descent.Signum(ETA), 10000),
    "adam": (descent.Adam(ETA, eps=0.0), 10000),
    "adam-1/2": (descent.Adam(ETA, eps=0.0, decay=0.5), 5000),
    "adam-0.9": (descent.Adam(ETA, betas=(0.9, 0.9), eps=0.0), 5000),
}
OTHERS: dict[str, tuple[Any, int]] = {
    "ngd": (descent.NormalisedGradientDescent(ETA, decay=0.5), 10000),
    "spectral": (descent.SpectralDescent(ETA), 10000),
    "muon": (descent.Muon(ETA), 2000),
    "split-sign": (SplitSign(), 1000),
    "split-spectral": (SplitSpectral(), 1000),
    "steepest-off-F": (SteepestOffF(), 1000),
}
METHODS = ENTRYWISE | OTHERS


class Row(NamedTuple):
    """One row of the file: a run (method, S, seed) after k steps."""

    method: str
    S: int
    seed: int
    k: int
    eta: float  # the last step size
    frobenius: float  # margin of P_perp W_k in this norm, over the largest
    max: float
    spectral: float
    norm: float  # of P_perp W_k, Frobenius
    tail: float  # off-support part of the loss, nats
    distance: float  # ||P_F W_k - W*||
    leak: float | None  # share of the step off F that the gradient on F explains; sign and spectral descent alone


Job = tuple[str, Sequence[tuple[int, int]], Sequence[int]]  # a method, some (S, seed), and the k to record


def instance(size: int, seed: int) -> ntp.NTPDataset:
    """The setting of the question: m = 12 contexts, V = 5, d = 15, all with S next tokens."""
    return ntp.construct.random(5, 15, 12, size, rng=seed)


def jobs(steps: int = RECORDS[-1]) -> list[Job]:
    """All runs of the study, none longer than this. Where entries move by themselves all instances go together."""
    found: list[Job] = []
    for name, (_, longest) in METHODS.items():
        sizes = [S for S in SIZES if S > 1 or not isinstance(METHODS[name][0], SplitDescent)]  # one-hot: F is {0}
        places = [(S, seed) for S in sizes for seed in SEEDS]
        records = [k for k in RECORDS if k <= min(steps, longest)]
        found += [(name, places, records)] if name in ENTRYWISE else [(name, [place], records) for place in places]
    return found


def measure(job: Job) -> list[Row]:
    """The rows of one run, on one instance or on several side by side."""
    name, places, records = job
    datasets = [instance(*place) for place in places]
    run = ntp.descend(side_by_side(datasets), METHODS[name][0], steps=records[-1], record=records)
    rows: list[Row] = []
    for i, (place, data) in enumerate(zip(places, datasets, strict=True)):
        limit = ntp.predict(data)
        best = {norm: 1.0 / ntp.solve_svm(data, norm=norm).dual_value() for norm in NORMS[1:]}
        best["frobenius"] = limit.margin
        for k, weights in zip(records, run.weights, strict=True):
            block = weights[:, i * data.dim : (i + 1) * data.dim].contiguous()
            eta = ETA * (k ** -getattr(METHODS[name][0], "decay", 0.5))
            rows.append(Row(name, *place, k, *map(_digits, (eta, *_measures(name, block, data, limit, best)))))
    return rows


def side_by_side(datasets: Sequence[ntp.NTPDataset]) -> ntp.NTPDataset:
    """Datasets in coordinates of their own: a method that moves every entry by itself runs on each as if alone."""
    if len(datasets) == 1:
        return datasets[0]
    embeddings = torch.block_diag(*(data.embeddings for data in datasets))
    return ntp.NTPDataset(embeddings, torch.cat([data.probabilities for data in datasets]))


def _measures(
    name: str, weights: Tensor, data: ntp.NTPDataset, limit: ntp.Limit, best: dict[str, float]
) -> list[float | None]:
    """The numbers of a `Row` from the shares on."""
    part = off_f(weights, data)
    margin = float(data.pattern.margins(data.embeddings @ part.T).min())
    shares = [margin / (best[norm] * as_norm(norm).value(part)) for norm in NORMS]
    distance = float((weights - part - limit.finite).norm())
    return [*shares, float(part.norm()), ntp.loss.evaluate(weights, data).tail, distance, leak(name, weights, data)]


def leak(name: str, weights: Tensor, data: ntp.NTPDataset) -> float | None:
    """``<D, D'> / ||D||^2``, D the step off F and D' what it were if the gradient had no part off F.

    1 if the loss off F has no say in the step off F, 0 if it alone has.
    """
    if name not in ("sign", "spectral"):
        return None
    parts, of = gradient_parts(weights, data), sign if name == "sign" else polar
    on_f = parts.in_support + math.exp(parts.log_scale) * finite_part(parts.tail, data)
    if not bool(on_f.any()):
        return 0.0
    whole = off_f(of(on_f + math.exp(parts.log_scale) * off_f(parts.tail, data)), data)
    return float((whole * off_f(of(on_f), data)).sum() / (whole * whole).sum())


def _digits(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")


def read() -> list[Row]:
    """The recorded rows."""
    with FILE.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [
            Row(**{name: value if name == "method" else json.loads(value) for name, value in r.items()}) for r in rows
        ]


def recompute(workers: int, steps: int) -> None:
    """Measure everything and write the file."""
    with processes(workers) as pool:
        write([row for rows in sweep(measure, jobs(steps), executor=pool, progress=True, title="runs") for row in rows])


def write(rows: list[Row]) -> None:
    """The file, sorted by method, S, seed and k."""
    order = list(METHODS)
    lines = [[r.method, *map(json.dumps, r[1:])] for r in sorted(rows, key=lambda r: (order.index(r.method), *r[1:4]))]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONE).writerows([Row._fields, *lines])
    write_text(FILE, text.getvalue())


def soft_labels(folder: Path | None = None, *, again: Sequence[tuple[str, int, int, int]] = AGAIN) -> list[ntp.Check]:
    """Measure some rows again, hold what is recorded against the theorem on one-hot data, and draw it."""
    rows = read()
    if folder is not None:
        figures.save(draw(rows), folder / "soft_labels.png")
    return [
        *(_measured_again(rows, place) for place in again),
        _never_above_one(rows),
        *(_at_the_rate_of_the_theorem(rows, name, S) for name, S in (("sign", 1), ("spectral", 1))),
        *(_at_the_rate_of_the_theorem(rows, "steepest-off-F", S) for S in SIZES[1:]),
        *(_not_at_that_rate(rows, name, S) for name in ("sign", "spectral") for S in SIZES[1:]),
        *(_tail_of_sign_descent(rows, S) for S in SIZES[1:]),
    ]


# Norm whose margin a method maximises on one-hot data.
OWN = {name: "max" for name in (*ENTRYWISE, "split-sign", "steepest-off-F")} | {
    "ngd": "frobenius",
    "spectral": "spectral",
    "muon": "spectral",
    "split-spectral": "spectral",
}


def series(rows: list[Row], name: str, size: int, field: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The k recorded (n,), and a field of the rows (n, seeds)."""
    chosen = [row for row in rows if row.method == name and row.S == size]
    times = sorted({row.k for row in chosen})
    return np.array(times), np.array([[getattr(row, field) for row in chosen if row.k == k] for k in times])


def mean_and_error(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean over the seeds, the last axis, and its standard error."""
    return values.mean(-1), values.std(-1, ddof=1) / math.sqrt(values.shape[-1])


def _measured_again(rows: list[Row], place: tuple[str, int, int, int]) -> ntp.Check:
    name, size, seed, k = place
    [recorded] = [row for row in rows if row[:4] == place]
    [found] = measure((name, [(size, seed)], [k]))
    return ntp.Check.close(
        LABEL,
        getattr(recorded, OWN[name]),
        getattr(found, OWN[name]),
        tolerance=1e-4,  # five digits are recorded
        evidence="measured",
        source=SOURCE,
        statement=f"{name}, S={size}, seed {seed}, k={k}: share of the largest margin, as recorded",
    )


def _never_above_one(rows: list[Row]) -> ntp.Check:
    return ntp.Check.at_most(
        "steepest/setting",
        bound=1.0,
        computed=max(getattr(row, norm) for row in rows for norm in NORMS),
        slack=1e-5,  # five digits are recorded
        evidence="measured",
        source="2502.04664",
        statement="largest share of the largest margin, all methods and norms",
    )


def _rates(rows: list[Row], name: str, size: int) -> tuple[int, int, float, float]:
    """The margin gap over its rate on one-hot data, worst of the seeds, at some k and at the last; both k."""
    times, shares = series(rows, name, size, OWN[name])
    worst = (1.0 - shares.min(1)) * np.sqrt(times) / (np.log(times) + instance(size, 0).num_contexts)
    early = int(np.searchsorted(times, times[-1] / 10))
    return int(times[early]), int(times[-1]), float(worst[early]), float(worst[-1])


def _at_the_rate_of_the_theorem(rows: list[Row], name: str, size: int) -> ntp.Check:
    early, late, before, now = _rates(rows, name, size)
    return ntp.Check.at_most(
        "steepest/theorem-1",
        bound=before,
        computed=now,
        slack=before / math.log(late),  # the next order of the logarithm
        evidence="measured",
        source="2502.04664",
        statement=f"{name}, S={size}: margin gap over (log k + m)/sqrt(k), k={late} against k={early}",
    )


def _not_at_that_rate(rows: list[Row], name: str, size: int) -> ntp.Check:
    early, late, before, now = _rates(rows, name, size)
    return ntp.Check.at_most(
        LABEL,
        bound=now,
        computed=before * (1.0 + 1.0 / math.log(late)),
        evidence="measured",
        source=SOURCE,
        statement=f"{name}, S={size}: margin gap over (log k + m)/sqrt(k), k={early} against k={late}: it grows",
    )


def tail_slopes(rows: list[Row], name: str, size: int) -> NDArray[np.float64]:
    """``d log tail / d log k`` over the last decade of steps, of every seed."""
    times, tails = series(rows, name, size, "tail")
    early = int(np.searchsorted(times, times[-1] / 10))
    slopes: NDArray[np.float64] = np.log(tails[-1] / tails[early]) / math.log(times[-1] / times[early])
    return slopes


def _tail_of_sign_descent(rows: list[Row], size: int) -> ntp.Check:
    """A conjecture: with the signs set on F, the gradient off F is noticed only where it is of the size of eta_k."""
    mean, error = mean_and_error(tail_slopes(rows, "sign", size))
    return ntp.Check.close(
        LABEL,
        -descent.SignDescent(ETA).decay,
        float(mean),
        tolerance=float(student.ppf(0.975, len(SEEDS) - 1) * error),  # the interval at confidence 0.95
        evidence="measured",
        relative=False,
        source="conjecture",
        statement=f"sign, S={size}: d log tail / d log k, the slope of eta_k",
    )


# -- the figure --------------------------------------------------------------------------------------------------------

LOOKS: dict[str, dict[str, Any]] = {
    "sign": {"color": style.BLUE},
    "signum": {"color": "#56B4E9"},
    "adam": {"color": style.ORANGE},
    "adam-0.9": {"color": "#E69F00"},
    "ngd": {"color": style.GREY},
    "spectral": {"color": style.GREEN},
    "muon": {"color": "#CC79A7"},
    "steepest-off-F": {"color": style.BLACK, "linestyle": "--"},
}


def draw(rows: list[Row]) -> Axes:
    """Shares by steps; where they end, method by norm; what happens on F and off it."""
    with style.look():
        axes = style.new_axes(3, 3, width=3.7, height=3.0)
        for ax, size in zip(axes[:3], SIZES, strict=True):
            for name in LOOKS:
                _curve(ax, name, *series(rows, name, size, OWN[name]))
            ax.set(xscale="log", ylim=(0.0, 1.03), xlabel="steps $k$", ylabel="share of the largest margin, own norm")
            ax.set_title(f"$S={size}$" + (": one-hot, theorem" if size == 1 else ": no theorem"))
        for ax, size in zip(axes[3:6], SIZES, strict=True):
            _bias_map(ax, rows, size)
        _on_and_off_f(axes[6:], rows)
        axes[0].legend(loc="lower right", ncols=2, fontsize=7)
    return axes[0]


def _curve(ax: Axes, name: str, times: NDArray[np.float64], values: NDArray[np.float64]) -> None:
    if len(times):
        mean, error = mean_and_error(values)
        ax.errorbar(times, mean, yerr=error, elinewidth=0.8, label=name, **LOOKS[name])


def _bias_map(ax: Axes, rows: list[Row], size: int) -> None:
    """Mean and standard error of the shares at the last step of each method."""
    names = [name for name in METHODS if len(series(rows, name, size, "k")[0])]
    ends = [[mean_and_error(series(rows, name, size, norm)[1][-1]) for norm in NORMS] for name in names]
    ax.imshow([[mean for mean, _ in row] for row in ends], vmin=0.0, vmax=1.0, cmap="cividis", aspect="auto")
    for i, row in enumerate(ends):
        for j, (mean, error) in enumerate(row):
            colour = "white" if mean < 0.55 else "black"
            ax.text(j, i, f"{mean:.2f} ± {error:.2f}", ha="center", va="center", color=colour, fontsize=7)
    longest = [max(series(rows, name, size, "k")[0]) for name in names]
    ax.set_xticks(range(len(NORMS)), NORMS)
    ax.set_yticks(range(len(names)), [f"{name}  {k:g}" for name, k in zip(names, longest, strict=True)], fontsize=7)
    ax.grid(False)
    ax.set_title(f"$S={size}$: share by norm, last $k$")


def _on_and_off_f(axes: Sequence[Axes], rows: list[Row], size: int = 3) -> None:
    """``||P_F W_k - W*||`` over the step size, k times the tail, and the leak; S = 3."""
    for name in LOOKS:
        times, distance = series(rows, name, size, "distance")
        _curve(axes[0], name, times, distance / series(rows, name, size, "eta")[1])
        _curve(axes[1], name, times, series(rows, name, size, "tail")[1] * times[:, None])
    for name in ("sign", "spectral"):
        for S, line in ((2, ":"), (3, "-")):
            mean, error = mean_and_error(series(rows, name, S, "leak")[1])
            label, colour = f"{name}, S={S}", LOOKS[name]["color"]
            axes[2].errorbar(series(rows, name, S, "k")[0], mean, yerr=error, color=colour, linestyle=line, label=label)
    axes[0].set(xscale="log", yscale="log", ylabel=r"$||P_F W_k - W^*|| / \eta_k$", title=f"On $F$, $S={size}$")
    axes[1].set(xscale="log", yscale="log", ylabel="$k$ x off-support loss (nats)", title=f"Off $F$, $S={size}$")
    axes[2].set(xscale="log", ylabel="share of the step off $F$", title="Leak of the gradient on $F$")
    axes[2].legend(loc="best")
    for ax in axes:
        ax.set_xlabel("steps $k$")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("out"), help="where the figure goes (out)")
    parser.add_argument("--full", action="store_true", help="measure every row anew and rewrite the data file")
    parser.add_argument("--steps", type=int, default=RECORDS[-1], help="with --full: longest run (10000)")
    parser.add_argument("--workers", type=int, default=2, help="with --full: processes that measure (2)")
    options = parser.parse_args()
    if options.full:
        recompute(options.workers, options.steps)
    checks = soft_labels(options.folder)
    print(*(check.line() for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
