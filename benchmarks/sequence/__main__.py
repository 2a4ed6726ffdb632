"""``python -m benchmarks.sequence``: measure, print, and keep the figures in ``benchmarks/sequence/results.json``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ntp_theory.runs import write_text

from .measure import measured

parser = argparse.ArgumentParser(prog="python -m benchmarks.sequence", description=__doc__.partition(": ")[2])
parser.add_argument("--repeats", type=int, default=5, help="of every contestant, in turns")
parser.add_argument("--results", type=Path, default=Path(__file__).with_name("results.json"), help="the data file")
options = parser.parse_args()
results = measured(options.repeats)
for row in results["training"]:
    print(
        f"{row['model']}, {row['parameters']:,} parameters: {row['tokens_per_second']:,.0f} tokens/s, "
        f"{row['speed_up']:.2f} times a plain loop"
    )
for row in results["myopic"]:
    print(f"{row['model']}, {row['cut']} of other positions cut: {row['cost']:.2f} times the time of plain training")
for row in results["generation"]:
    print(f"{row['task']}: {row['graphs_per_minute']:,.0f} graphs/min, {row['speed_up']:.0f} times one by one")
write_text(options.results, json.dumps(results, indent=1) + "\n")
