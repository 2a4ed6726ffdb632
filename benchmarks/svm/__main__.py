"""``python -m benchmarks.svm``: measure what is missing in the data file, then write the page of the documentation."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from .report import write
from .runner import run
from .suites import SUITES

parser = argparse.ArgumentParser(prog="python -m benchmarks.svm", description=__doc__.partition(": ")[2])
parser.add_argument("--suite", action="append", choices=SUITES, help="only this suite (may be repeated)")
parser.add_argument("--instance", action="append", help="only this instance (may be repeated)")
parser.add_argument("--contestant", action="append", help="only contestants whose names begin so (may be repeated)")
parser.add_argument("--report", action="store_true", help="measure nothing, write the page only")
parser.add_argument("--out", type=Path, default=Path("out/benchmarks"), help="where references are kept")
parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.jsonl"), help="the data file")
parser.add_argument("--page", type=Path, default=Path("docs/benchmarks.md"), help="the page; figures go beside it")
options = parser.parse_args()
if not options.report:
    chosen = options.suite or [name for name in SUITES if name != "gpu" or torch.cuda.is_available()]
    jobs = [job for name in chosen for job in SUITES[name]]
    jobs = [job for job in jobs if not options.instance or job.instance in options.instance]
    starts = tuple(options.contestant or [""])
    run([job for job in jobs if job.contestant.startswith(starts)], options.results, options.out)
write(options.results, options.page)
