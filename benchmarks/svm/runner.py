"""Measures what has not been measured yet, one process a measurement, and appends it to the data file."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

import ntp_theory
from ntp_theory import NTPDataset

from .contestants import CONTESTANTS, Contestant
from .instances import INSTANCES
from .judge import excluded_norm, reference, relative_bound
from .results import REFUTED, Record, append, goal, read
from .suites import Job

__all__ = ["run"]

GRACE = 60.0  # seconds for imports, the instance and the warm-up, beside the limit
PACKAGES = ("numpy", "scipy", "torch", "clarabel", "osqp", "scs", "piqp", "cvxpy", "scikit-learn")
KEY = ("instance", "contestant", "tol", "threads")


def run(jobs: list[Job], results: Path, out: Path) -> None:
    """Measure every job; what the data file has is not measured again."""
    known = {tuple(record[key] for key in KEY): record for record in read(results) if "instance" in record}
    made: dict[str, NTPDataset] = {}
    for job in jobs:
        instance, contestant = INSTANCES[job.instance], CONTESTANTS[job.contestant]
        if job.instance not in made:
            made = {job.instance: instance.make()}  # one at a time
        data = made[job.instance]
        if not _applies(contestant, data):
            continue
        _climb(job, data, known, results, out)


def _climb(job: Job, data: NTPDataset, known: dict[tuple, Record], results: Path, out: Path) -> None:
    """Go down the ladder of tolerances until the answer, or the refutation, is good enough, or gets no better."""
    contestant, wanted = CONTESTANTS[job.contestant], goal(job.contestant)
    tol, best, stalled = contestant.loosest, math.inf, 0
    while True:
        record = known.get((job.instance, job.contestant, tol, job.threads))
        if record is None:
            record = {"environment": _environment(results)} | _measure(job, tol, data, out)
            known[(job.instance, job.contestant, tol, job.threads)] = record
            append(results, record)
        _show(record)
        if not INSTANCES[job.instance].separable:
            if record["excluded"] is None or record["excluded"] >= REFUTED or tol <= contestant.tightest:
                return
            tol = max(float(f"{tol * contestant.stride:.0e}"), contestant.tightest)
            continue
        if record["outcome"] != "answered":
            return
        bound = record["bound"]
        stalled = 0 if bound is not None and bound < 0.5 * best else stalled + 1
        best = min(best, math.inf if bound is None else bound)
        if best <= wanted or tol <= contestant.tightest or stalled > 2:
            return
        factor = min(max(wanted / best, contestant.stride), 1e-1)
        tol = max(float(f"{tol * factor:.0e}"), contestant.tightest)


def _measure(job: Job, tol: float, data: NTPDataset, out: Path) -> Record:
    """One run in a process of its own, judged here."""
    record = {"instance": job.instance, "contestant": job.contestant, "tol": tol, "threads": job.threads}
    record |= {"date": datetime.date.today().isoformat(), "limit": job.limit, "bound": None, "excluded": None}
    record |= {"V": data.vocab_size, "m": data.num_contexts, "d": data.dim}
    threads = {
        f"{name}_NUM_THREADS": str(job.threads) for name in ("OMP", "OPENBLAS", "MKL", "RAYON", "NUMEXPR", "BLIS")
    }
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "answer.npz"
        command = [sys.executable, "-m", "benchmarks.svm.worker", job.instance, job.contestant, str(tol)]
        command += [str(job.limit), job.device, str(file)]
        try:
            process = subprocess.run(
                command, env=os.environ | threads, capture_output=True, text=True, timeout=6 * job.limit + GRACE
            )
        except subprocess.TimeoutExpired:
            return record | {"outcome": "out of time"}
        if process.returncode != 0 or not file.is_file():
            why = process.stderr.strip().rpartition("\n")[2][-200:]
            return record | {"outcome": "failed", "status": why or f"exit status {process.returncode}"}
        record |= json.loads(process.stdout.strip().rpartition("\n")[2])
        with np.load(file) as loaded:
            answer = dict(loaded)
    if record["infeasible"]:
        excluded = excluded_norm(data, answer["refutation"]) if "refutation" in answer else None
        return record | {"outcome": "infeasible", "excluded": excluded}
    if not INSTANCES[job.instance].separable:
        return record | {"outcome": "no answer"}
    bound = relative_bound(data, answer, reference(job.instance, data, out / "references"))
    outcome = "out of time" if record["seconds"] > 1.5 * job.limit else "answered"
    return record | {"outcome": outcome, "bound": bound if math.isfinite(bound) else None}


def _applies(contestant: Contestant, data: NTPDataset) -> bool:
    if contestant.one_hot and int(data.pattern.sizes.max()) > 1:
        return False
    if contestant.full_rank:
        values = np.linalg.svd(data.embeddings.numpy(), compute_uv=False)
        return len(values) == data.num_contexts and bool(values[-1] > 1e-12 * values[0])
    return True


def _show(record: Record) -> None:
    bound = "" if record["bound"] is None else f"within {record['bound']:.1e}"
    seconds = f"{record['seconds']:8.3f} s" if "seconds" in record else ""
    print(
        f"{record['instance']:<16} {record['contestant']:<24} tol {record['tol']:.0e}  {record['outcome']:<12}"
        f"{seconds}  {bound}",
        flush=True,
    )


def _environment(results: Path) -> int:
    """The number of this machine with these versions; its description goes to the data file once."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    described = {
        "cpu": names[0] if names else platform.processor(),
        "cores": os.cpu_count(),
        "gibibytes": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {"ntp_theory": ntp_theory.__version__}
        | {name: importlib.metadata.version(name) for name in PACKAGES},
    }
    seen = [record for record in read(results) if "described" in record]
    for record in seen:
        if record["described"] == described:
            return int(record["environment"])
    append(results, {"environment": len(seen) + 1, "described": described})
    return len(seen) + 1
