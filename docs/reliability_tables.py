"""Tables of the page on reliability: bad inputs as the tests run them, soak and fuzzing from their records."""

from __future__ import annotations

import json
from pathlib import Path

from tests.hardening.table import TABLE

__all__ = ["bad_inputs", "fuzzing", "soak"]

RECORDS = Path(__file__).parent.parent / "tests" / "hardening"


def bad_inputs() -> str:
    """Every row of the table of bad inputs, by door, with its error."""
    parts = [f"{sum(map(len, TABLE.values()))} bad inputs at {len(TABLE)} doors.\n"]
    for door, rows in TABLE.items():
        errors: dict[str, list[str]] = {}
        for row in rows:
            errors.setdefault(row.error.__name__, []).append(row.name)
        parts.append(f"**{door[0].upper()}{door[1:]}** ({len(rows)})\n")
        parts += [f"- `{error}`: {'; '.join(names)}" for error, names in errors.items()]
        parts.append("")
    return "\n".join(parts)


def soak() -> str:
    """What became of the drawn problems."""
    record = json.loads((RECORDS / "soak.json").read_text(encoding="utf-8"))
    found = {"wrong": 0} | record["found"]
    lines = [
        f"{record['date']}, {record['machine']}, Python {record['versions']['python']}, torch "
        f"{record['versions']['torch']}: {record['problems']} problems, {record['different']} of them different, in "
        f"{record['minutes']:.0f} minutes.\n",
        "| outcome | problems |",
        "|---|---|",
    ]
    order = sorted(found.items(), key=lambda item: (item[0] == "wrong", -item[1]))
    return "\n".join(lines + [f"| {name} | {count} |" for name, count in order]) + "\n"


def fuzzing() -> str:
    """What each reader was given."""
    record = json.loads((RECORDS / "fuzz.json").read_text(encoding="utf-8"))
    lines = ["| reader | date | seconds | inputs | edges of the code reached | finds |", "|---|---|---|---|---|---|"]
    for reader, row in record.items():
        cells = (reader, row["date"], row["seconds"], row["inputs"], row["edges"], row["finds"])
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"
