"""``python -m tests.hardening.soak``: thousands of drawn problems, every answer held against a proof of its own.

Each problem is put to `check_separability`, `check_compatibility`, `extended_support`, `solve_svm` and `predict`. It is

- *certified* if every answer is proved in rational arithmetic, and the saved proofs stand before ``proofs_check``,
  which shares no code with the library;
- *in doubles* if all are verified in double precision, and for some the exact proof says "not certified" or "too
  large", or takes rounding of the data for meant (`up_to_rounding`);
- *refused* if `predict` raised an error of `ntp_theory.errors`, whose name is counted;
- *wrong* if anything else happened. There must be none, and the exit status says so.

Problems are drawn in rounds, each from a seed of its own; a round that is finished is a line of the file, and a run
that was stopped goes on with the next one.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import sys
import time
import traceback
from collections import Counter
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import flint
import numpy as np
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import ntp_theory as ntp
from ntp_theory.errors import NotSeparableError, NTPError, SolverError
from ntp_theory.runs import digest, write_text
from ntp_theory.subspace import data_subspace
from ntp_theory.testing import CASES, KINDS, datasets, datasets_of_case
from proofs_check.certificates import verify as verify_document

ROUND = 100  # problems
DISTANCE = 2e-5  # of a direction to W_mm, relative: what a duality gap of 1e-10 certifies, rounding included
ESCAPE = 60.0  # nats: tails of exp(-60) are below rounding


def dense_rows(data: ntp.NTPDataset) -> torch.Tensor:
    """The conditionals as a dense matrix (m, V)."""
    return data.probabilities.to_dense()


@st.composite
def degenerate(draw: st.DrawFn) -> ntp.NTPDataset:
    """Data next to where answers change: rows of very different sizes, contexts that nearly agree, faint masses."""
    data = draw(datasets(max_contexts=6))
    h, rows, weights = data.embeddings.numpy().copy(), dense_rows(data).numpy(), data.weights.numpy().copy()
    what = draw(
        st.sampled_from(["rows", "columns", "near copies", "near dependence", "faint tokens", "faint contexts"])
    )
    powers = st.integers(-6, 6)
    small = 10.0 ** draw(st.integers(-12, -1))
    if what == "rows":
        h *= 10.0 ** np.array(draw(st.lists(powers, min_size=len(h), max_size=len(h))))[:, None]
    elif what == "columns":
        h *= 10.0 ** np.array(draw(st.lists(powers, min_size=h.shape[1], max_size=h.shape[1])))
    elif what in ("near copies", "near dependence"):
        j = draw(st.integers(0, len(h) - 1))
        base = h[j] if what == "near copies" else h.sum(0)
        noise = np.random.default_rng(draw(st.integers(0, 2**32 - 1))).standard_normal(h.shape[1])
        h = np.vstack([h, base + small * noise])
        rows = np.vstack([rows, rows[draw(st.integers(0, len(rows) - 1))]])
        weights = np.append(weights, weights.mean())
    elif what == "faint tokens":
        rows[:, draw(st.integers(0, rows.shape[1] - 1))] *= small
    else:
        weights[draw(st.integers(0, len(weights) - 1))] *= small
    rows[rows.sum(1) == 0] = 1.0
    return ntp.NTPDataset(h, rows / rows.sum(1, keepdims=True), weights / weights.sum())


PROBLEMS = st.one_of(
    *(datasets(kind, max_contexts=8, max_vocab_size=7) for kind in KINDS),
    *(datasets_of_case(case) for case in CASES),
    *[degenerate()] * 4,
)


class Wrong(Exception):
    """An answer that does not stand."""


def insist(stands: bool, words: str) -> None:
    """Raise `Wrong` unless it stands."""
    if not stands:
        raise Wrong(words)


def proved(answer: Any, name: str) -> bool:
    """Whether the answer is proved exactly; `Wrong` if the opposite is, or if another program refuses the proof."""
    try:
        proof = answer.verify(exact=True)
    except SolverError:  # too large for an exact solve, which is said
        return False
    if proof.status == "refuted":
        insist(up_to_rounding(answer), f"{name}: {proof.summary()}")
        return False
    if proof.document is not None:
        report = verify_document(json.dumps(proof.document).encode())
        insist(report.verdict == "proved", f"{name}: proofs_check says {report}")
    return bool(proof)


def up_to_rounding(answer: Any) -> bool:
    """Whether an answer may differ from the exact one, which takes every last bit of the data for meant.

    It may where in-support constraints are dependent in doubles and independent as they are, to be seen by their exact
    rank; and log-odds of rounded probabilities that should agree do so up to rounding only.
    """
    data = answer.data
    if isinstance(answer, ntp.Compatibility) and answer.compatible:
        return data.counts is None
    rows = []
    for embedding, (anchor, *others) in zip(data.embeddings.tolist(), data.pattern.rows(), strict=True):
        numbers = [Fraction(x) for x in embedding]
        scale = math.lcm(*(x.denominator for x in numbers))
        for token in others:
            row = [0] * data.vocab_size * data.dim
            for i, x in enumerate(numbers):
                row[anchor * data.dim + i] = int(x * scale)
                row[token * data.dim + i] = -row[anchor * data.dim + i]
            rows.append(row)
    return bool(rows) and flint.fmpz_mat(rows).rank() > data_subspace(data).dim


def losses_agree(data: ntp.NTPDataset, limit: ntp.Limit) -> bool:
    """Far out on the predicted line the loss is the predicted infimum, by the plainest formula there is."""
    finite, supports = data.embeddings @ limit.finite.T, limit.support
    ahead = torch.where(supports, finite, math.inf).amin(1) - torch.where(supports, -math.inf, finite).amax(1)
    reach = ESCAPE + max(-float(ahead.min()), 0.0)  # W* may favour tokens that W_mm must push down
    line = limit.finite if limit.direction is None else limit.finite + reach * limit.direction
    logs = torch.log_softmax(data.embeddings @ line.T, 1)
    loss = float(-(data.weights[:, None] * torch.where(data.support, dense_rows(data) * logs, 0.0)).sum())
    uneven = limit.svm.primal_residual() if limit.direction is not None else 0.0
    # logits off by 2 x uneven, tails of V tokens, and rounding of sums of d and of V terms
    largest = float((data.embeddings.abs() @ line.abs().T).max())
    rounding = 4 * torch.finfo(torch.float64).eps * (data.dim + data.vocab_size) * (1 + largest)
    slack = 2 * reach * uneven + data.vocab_size * math.exp(-ESCAPE + reach * uneven) + rounding
    lower, upper = limit.infimum_bounds
    return lower <= limit.infimum <= upper and lower - slack <= loss <= upper + slack


def judge(data: ntp.NTPDataset) -> str:
    """The class of one problem; `Wrong` or any other exception if an answer does not stand."""
    exact = []
    try:
        compatibility = ntp.check_compatibility(data)
        insist(compatibility.verify(), "compatibility does not verify")
        exact.append(proved(compatibility, "compatibility"))
        separability = ntp.check_separability(data)
        insist(separability.verify(), "separability does not verify")
        exact.append(proved(separability, "separability"))
        extended = ntp.extended_support(data)
        insist(extended.verify(), "the extended support does not verify")
        exact.append(proved(extended, "extended support"))
        insist(separability.separable == torch.equal(extended.support, data.support), "supports against separability")
        try:
            solution = ntp.solve_svm(data)
            insist(separability.separable, "an NTP-SVM of data that is not separable")
            insist(solution.verify(DISTANCE), "the NTP-SVM does not verify")
            exact.append(proved(solution, "NTP-SVM"))
        except NotSeparableError as error:
            insist(not separability.separable, "no NTP-SVM of data that is separable")
            insist(error.certificate.verify(), "the certificate of NotSeparableError does not verify")
        limit = ntp.predict(data)
        insist(limit.svm.verify(DISTANCE), "the direction of the limit does not verify")
        exact.append(proved(limit.svm, "direction of the limit"))
        unique = torch.equal(limit.duals, limit.svm.duals)
        more = {} if unique else {"support_duals": None, "duals_tail": None}
        chosen = replace(limit.svm, duals=limit.duals, **more)
        insist(chosen.dual_residual() <= DISTANCE, "the multipliers of the limit do not make its direction")
        insist(torch.equal(limit.support, extended.support), "the support of the limit against the extended one")
        insist(limit.case == case_of(data, compatibility, separability, extended), f"the case is not {limit.case}")
        insist(losses_agree(data, limit), "the loss on the predicted line is not the predicted infimum")
    except NTPError as error:
        return f"refused: {type(error).__name__}"
    return "certified" if all(exact) else "in doubles"


def case_of(data: ntp.NTPDataset, compatibility: Any, separability: Any, extended: Any) -> str:
    """The case that the conditions make."""
    if bool(extended.support.all()):
        return "finite"
    if not separability.separable:
        return "partially-separable"
    return "separable-compatible" if compatibility.compatible else "separable-incompatible"


def words(data: ntp.NTPDataset) -> dict[str, Any]:
    """The problem, bit for bit, so that it can be posed again."""
    return {
        "embeddings": [[x.hex() for x in row] for row in data.embeddings.tolist()],
        "vocab_size": data.vocab_size,
        "supports": data.pattern.rows(),
        "masses": [x.hex() for x in data.masses.double().tolist()],
        "counts": data.counts is not None,
        "weights": [x.hex() for x in data.weights.tolist()],
    }


def play(number: int) -> dict[str, Any]:
    """One round: what became of its problems, and what went wrong."""
    found: Counter[str] = Counter()
    wrong: list[dict[str, Any]] = []
    seen: list[str] = []

    @seed(number)
    @settings(
        max_examples=ROUND,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(PROBLEMS)
    def one(data: ntp.NTPDataset) -> None:
        tensors = (data.embeddings, dense_rows(data), data.weights)
        seen.append(digest({str(i): tensor.numpy() for i, tensor in enumerate(tensors)}))
        try:
            found[judge(data)] += 1
        except Exception as error:
            found["wrong"] += 1
            last = traceback.extract_tb(error.__traceback__)[-1]
            why = str(error) if isinstance(error, Wrong) else f"{type(error).__name__}: {error} ({last.name})"
            wrong.append({"why": why, "problem": words(data)})

    start = time.perf_counter()
    one()
    seconds = round(time.perf_counter() - start, 2)
    return {"seed": number, "found": dict(found), "digests": seen, "wrong": wrong, "seconds": seconds}


def read(path: Path) -> list[dict[str, Any]]:
    """The rounds of a file; a line cut short by a crash counts for nothing."""
    rounds = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            rounds.append(json.loads(line))
        except ValueError:
            continue
    return rounds


def summarise(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """All rounds together."""
    found: Counter[str] = Counter()
    for one in rounds:
        found.update(one["found"])
    return {
        "problems": sum(found.values()),
        "different": len({word for one in rounds for word in one["digests"]}),
        "found": dict(sorted(found.items())),
        "wrong": found["wrong"],
        "minutes": round(sum(one["seconds"] for one in rounds) / 60, 1),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "ntp_theory": ntp.__version__},
        "machine": f"{platform.machine()}, {torch.get_num_threads()} thread",
        "date": time.strftime("%Y-%m-%d"),
    }


def main(argv: list[str] | None = None) -> int:
    """Draw, judge and write; 0 if nothing was wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--problems", type=int, default=10_000)
    parser.add_argument(
        "--out", type=Path, default=Path("out/soak.jsonl"), help="one line a round; a run goes on from it"
    )
    parser.add_argument("--figures", type=Path, help="also write all rounds together, as JSON")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    rounds = read(options.out)
    done = {one["seed"] for one in rounds}
    todo = [number for number in range(math.ceil(options.problems / ROUND)) if number not in done]
    try:
        for place, number in enumerate(todo, 1):
            rounds.append(play(number))
            write_text(options.out, "".join(json.dumps(one) + "\n" for one in rounds))
            for one in rounds[-1]["wrong"]:
                print("WRONG:", one["why"], flush=True)
            total = summarise(rounds)
            print(f"{place} of {len(todo)} rounds, {total['problems']} problems: {total['found']}", flush=True)
    except KeyboardInterrupt:
        print(f"stopped; the same command goes on from {options.out}", file=sys.stderr)
        return 130
    total = summarise(rounds)
    if options.figures:
        write_text(options.figures, json.dumps(total, indent=2) + "\n")
    print(json.dumps(total, indent=2))
    return int(total["wrong"] > 0)


if __name__ == "__main__":
    sys.exit(main())
