"""Real text is neither separable nor compatible: what training can still do with it, proved in rational arithmetic."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import ntp_theory as ntp
from ntp_theory import figures


def exact_certificates(
    folder: Path | None = None, *, contexts: int = 200, tokens: int = 100, dim: int = 64
) -> list[ntp.Check]:
    """Two-token contexts with additive embeddings: each answer in double precision against its exact proof.

    The certificates are written to the folder; ``python -m proofs_check certificate FILE`` checks them again, without
    this library.
    """
    text = ntp.construct.documentation_text()
    data = ntp.construct.from_text(text, embedding="additive", max_contexts=contexts, vocab_size=tokens, dim=dim)
    checks = []
    for label, name, decide in (
        ("bias/compatibility-exact", "compatibility", ntp.check_compatibility),
        ("bias/definition-2", "separability", ntp.check_separability),
        ("bias/any-data-lp", "extended_support", ntp.extended_support),
    ):
        answer = decide(data)
        start = time.perf_counter()
        proof = answer.verify(exact=True)
        seconds = time.perf_counter() - start
        words = f"{proof.statement}, {proof.reason}"
        check = ntp.Check.same(label, "proved", proof.status, source="derived", statement=words)
        checks.append(replace(check, seconds=seconds))
        if folder is not None and proof:
            proof.save(folder / f"{name}.json")
        if folder is not None and isinstance(answer, ntp.ExtendedSupport):
            figures.save(figures.supports(answer), folder / "exact_certificates.png")
    return checks


if __name__ == "__main__":
    checks = exact_certificates(Path(sys.argv[1] if len(sys.argv) > 1 else "out"))
    print(*(f"{check.line()} ({check.seconds:.1f} s)" for check in checks), sep="\n")
    sys.exit(not all(check.holds for check in checks))
