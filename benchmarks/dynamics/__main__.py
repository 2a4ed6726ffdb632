"""``python -m benchmarks.dynamics``: measure, keep the figures, and write the page of the documentation from them."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ntp_theory.runs import write_text

from .measure import measured
from .page import written

parser = argparse.ArgumentParser(prog="python -m benchmarks.dynamics", description=__doc__.partition(": ")[2])
parser.add_argument("--repeats", type=int, default=9, help="of every contestant, in turns")
parser.add_argument("--report", action="store_true", help="measure nothing, write the page only")
parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.json"), help="the data file")
parser.add_argument("--page", type=Path, default=Path("docs/benchmarks_dynamics.md"), help="the page")
options = parser.parse_args()
if not options.report:
    write_text(options.results, json.dumps(measured(options.repeats), indent=1) + "\n")
write_text(options.page, written(json.loads(options.results.read_text(encoding="utf-8"))))
