"""Pages drawn from the code: one for each labelled statement, and one that lists them all."""

from __future__ import annotations

import re
from collections import Counter
from itertools import groupby
from pathlib import Path

import ntp_theory.claims as claims
from proofs_check import registry
from proofs_check.citations import citations
from proofs_check.statement import Statement

__all__ = ["PARTS", "anchor", "page_name", "pages"]

HERE = Path(__file__).parent
EXPLAINED = set(re.findall(r"^\((\S+)\)=$", (HERE / "theory.md").read_text(encoding="utf-8"), re.MULTILINE))
PARTS = {
    "implicit-bias": claims.IMPLICIT_BIAS,
    "path-star-and-planning": claims.PATH_STAR_AND_PLANNING,
    "multi-token": claims.MULTI_TOKEN,
}
"""What has a picture of its own."""
# Where a label is named says what it is used for.
USES = {
    "ntp_theory/claims/": "Numeric checks",
    "ntp_theory/": "Code",
    "examples/": "Examples",
    "tests/": "Tests",
    "benchmarks/": "Benchmarks",
    "docs/": "Pages",
}


def pages() -> dict[str, str]:
    """The text of every generated page on statements, by its path below the folder of generated pages."""
    proofs = {label: registry.load(label) for label in registry.labels()}
    checked = {record.label: record for record in claims.records()}
    shown = [label for label in claims.LABELS if label in proofs or label in checked]
    named = citations(shown)
    resting: dict[str, list[str]] = {label: [] for label in shown}
    for label, proof in proofs.items():
        for need in proof.needs:
            if need in resting:
                resting[need].append(label)
    texts = {
        page_name(label): _page(label, proofs.get(label), checked.get(label), named[label], resting[label], set(shown))
        for label in shown
    }
    return {"statements.md": _index(shown, proofs, checked), **texts}


def page_name(label: str) -> str:
    """The path of the page of a label."""
    return f"statements/{label}.md".lower()


def anchor(label: str) -> str:
    """The target of a page; docutils folds the case of targets."""
    return f"statement/{label}".lower()


def _index(shown: list[str], proofs: dict[str, Statement], checked: dict[str, claims.Claim]) -> str:
    verdicts = Counter(proof.verdict for proof in proofs.values())
    kinds = Counter(record.evidence for record in checked.values())
    lines = [
        "# The statements",
        "",
        f"Every labelled statement of the theory has a page: what it says, how it is decided, and what uses it. "
        f"`python -m proofs_check` in a clone decides {len(proofs)} of them by symbolic and exact computation: "
        + ", ".join(f"{count} *{verdict}*" for verdict, count in verdicts.most_common())
        + f". `ntp-theory verify` checks {len(checked)} numerically, with the library: "
        + ", ".join(f"{kinds[kind]} *{kind}*" for kind in ("exact", "certified", "measured"))
        + " (the strongest evidence that a check of the claim may state); `ntp.claims.check(label)` runs one.",
        "",
        "What rests on what, the ground on the left (the pictures open in full size):",
        *(
            f"\n```{{image}} graph-{part}.svg\n:alt: The statements on {part}; an edge leads to what rests on each.\n"
            f":target: ../_images/graph-{part}.svg\n```"
            for part in PARTS
        ),
    ]
    for family, labels in groupby(shown, key=lambda label: label.split("/")[0]):
        lines += ["", f"## `{family}/`", "", "| statement | proof | numeric evidence | source |", "|---|---|---|---|"]
        for label in labels:
            proof, record = proofs.get(label), checked.get(label)
            source = proof.source if proof else record.source if record else ""
            cells = [
                f"[`{label}`](#{anchor(label)})",
                proof.recorded if proof else "",
                f"{record.evidence}, {record.verdict}" if record else "",
                _escaped(source),
            ]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    lines += ["", "```{toctree}", ":hidden:", "", *(page_name(label).removesuffix(".md") for label in shown), "```"]
    pending = [label for label in claims.PENDING if label not in proofs]
    lines += ["", "## Not decided yet", "", ", ".join(f"`{label}`" for label in pending) + "." if pending else "None."]
    return "\n".join(lines) + "\n"


def _page(
    label: str,
    proof: Statement | None,
    record: claims.Claim | None,
    files: list[str],
    resting: list[str],
    known: set[str],
) -> str:
    lines = [f"({anchor(label)})=", f"# `{label}`", ""]
    if proof:
        lines += [_text(proof.text, known), "", f"*Source:* {_escaped(proof.source)}. *Verdict:* {proof.recorded}."]
    elif record:
        lines += [_linked(record.statement, known), "", f"*Source:* {_escaped(record.source)}."]
    if label in EXPLAINED:
        lines[-1] += f" [In the theory page](#{label})."
    if proof:
        lines += ["", "## Proof", ""] if proof.steps else []
        for number, step in enumerate(proof.steps, 1):
            lines.append(f"{number}. {_linked(step.words, known)} *({_escaped(step.kind)})*")
        lines += ["", f"*Missing:* {_linked(proof.missing, known)}."] if proof.missing else []
        lines += ["", f"*Taken as known:* {_linked('; '.join(proof.known), known)}."] if proof.known else []
        lines += ["", f"`python -m proofs_check {label}` runs it."] if proof.steps else []
    if record:
        lines += ["", "## Numeric evidence", "", _linked(record.statement, known), ""]
        lines += [f"*Evidence:* {record.evidence}. *Verdict:* {record.verdict}."]
        lines += ["", *(f"- *{budget}:* {_linked(shown, known)}" for budget, shown in record.budgets.items())]
    rests = [need for need in proof.needs if need in known] if proof else []
    for title, others in (("Rests on", rests), ("What rests on it", resting)):
        if others:
            lines += ["", f"**{title}:** " + ", ".join(f"[`{other}`](#{anchor(other)})" for other in others) + "."]
    lines += ["", "## Where it is used", ""]
    left = [name for name in files if not name.startswith("proofs_check/")]
    for folder, title in USES.items():
        some = [name for name in left if name.startswith(folder)]
        left = [name for name in left if name not in some]
        if some:
            lines.append(f"- {title}: " + ", ".join(f"`{name}`" for name in some))
    return "\n".join(lines) + "\n"


def _text(text: str, known: set[str]) -> str:
    """Plain paragraphs as Markdown; indented blocks are formulas, and stay as they are."""
    blocks = []
    for indented, lines in groupby(text.splitlines(), key=lambda line: line.startswith("    ") or not line):
        block = "\n".join(lines)
        if not indented:
            blocks.append(_linked(block, known))
        elif block.strip():
            body = "\n".join(line[4:] for line in block.strip("\n").splitlines())
            blocks.append(f"\n```text\n{body}\n```\n")
        else:
            blocks.append("")
    return "\n".join(blocks)


def _linked(text: str, known: set[str]) -> str:
    """Plain text with backticks as Markdown: formulas are not markup, and labels are links."""
    parts = text.split("`")
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = _escaped(part)
        else:
            parts[i] = f"[`{part}`](#{anchor(part)})" if part in known else f"`{part}`"
    return "".join(parts)


def _escaped(text: str) -> str:
    return re.sub(r"([\\*_<>\[\]{}$~^|#`])", r"\\\1", text)
