"""One contestant on one instance at one tolerance, in a process of its own: ``python -m benchmarks.svm.worker``.

Writes the answer to a file and one line of JSON, with time and memory, to standard output.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import time
import warnings
from pathlib import Path

import numpy as np

import ntp_theory as ntp

from .contestants import CONTESTANTS
from .instances import INSTANCES

REPEATS, ENOUGH = 5, 10.0  # the same again, up to so often or until so many seconds have gone


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("instance")
    parser.add_argument("contestant")
    parser.add_argument("tol", type=float)
    parser.add_argument("seconds", type=float)
    parser.add_argument("device")
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    data, solve = INSTANCES[options.instance].make(), CONTESTANTS[options.contestant].solve
    data = data.to(device=options.device)
    # libraries load and threads start on a problem that no one times
    solve(ntp.construct.random(5, 8, 6, 1).to(device=options.device), 1e-6, options.seconds)
    gc.collect()
    before = _memory("VmRSS")
    _reset_peak()
    start = time.process_time()
    answers = [solve(data, options.tol, options.seconds)]
    peak = _memory("VmHWM")
    while len(answers) < REPEATS and sum(answer.seconds for answer in answers) < ENOUGH:
        answers.append(solve(data, options.tol, options.seconds))
    processor = time.process_time() - start
    last = answers[-1]
    arrays = {"weights": last.weights, "duals": last.duals, "refutation": last.refutation}
    np.savez(options.out, **{name: array for name, array in arrays.items() if array is not None})
    record = {
        "seconds": statistics.median(answer.seconds for answer in answers),
        "inside": statistics.median(answer.inside for answer in answers),
        "processor": processor / len(answers),  # less than the seconds if the machine had other work
        "repeats": len(answers),
        "mebibytes": None if before is None or peak is None else round((peak - before) / 1024, 1),
        "iterations": last.iterations,
        "status": last.status,
        "infeasible": last.infeasible,
    }
    print(json.dumps(record))


def _memory(field: str) -> int | None:
    """A line of Linux's account of this process, in KiB."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return None
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(field))


def _reset_peak() -> None:
    clear = Path("/proc/self/clear_refs")
    if clear.is_file():
        clear.write_text("5")


if __name__ == "__main__":
    main()
