"""Sphinx configuration; two pages are generated from the package, so that they cannot drift from it."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from itertools import groupby
from pathlib import Path
from types import ModuleType

from sphinx.application import Sphinx

import ntp_theory
import ntp_theory.claims

HERE = Path(__file__).parent
GENERATED = HERE / "_generated"

project = "ntp_theory"
author = "ntp_theory authors"
copyright = "2026, ntp_theory authors"
version = release = ntp_theory.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "_generated/api.md", "jupyter_execute"]
html_theme = "furo"
html_title = f"ntp_theory {release}"

myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
# A cached notebook would survive a change of the package: always run.
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
napoleon_google_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False


def api_page() -> str:
    """Every name in ``ntp_theory.__all__``, grouped by the module it comes from."""
    sections: dict[str, list[str]] = {}
    for name in ntp_theory.__all__:
        member = getattr(ntp_theory, name)
        if isinstance(member, ModuleType):
            sections.setdefault(member.__name__, []).append(f"automodule:: {member.__name__}\n   :members:")
        elif inspect.isclass(member):
            section = sections.setdefault(member.__module__, [])
            section.append(f"autoclass:: ntp_theory.{name}\n   :members:")
        elif callable(member):
            sections.setdefault(member.__module__, []).append(f"autofunction:: ntp_theory.{name}")
        else:
            sections.setdefault("ntp_theory", []).append(f"autodata:: ntp_theory.{name}")
    return "\n".join(
        f"## `{module}`\n\n```{{eval-rst}}\n" + "\n\n".join(f".. {entry}" for entry in entries) + "\n```\n"
        for module, entries in sections.items()
    )


def claims_page() -> str:
    """Every claim in the registry, linked to the theory page where that explains it, and the labels without a check."""
    records = ntp_theory.claims.records()
    explained = set(re.findall(r"^\((\S+)\)=$", (HERE / "theory.md").read_text(encoding="utf-8"), re.MULTILINE))
    counts = Counter(claim.evidence for claim in records)
    lines = [
        "# The claims",
        "",
        f"The library checks {len(records)} labelled statements: "
        + ", ".join(f"{counts[kind]} {kind}" for kind in ("exact", "certified", "measured"))
        + ". `ntp-theory verify` runs them all; `ntp.claims.check(label)` runs one, or all whose labels begin so."
        " The evidence named here is the strongest that a check of the claim may state.",
    ]
    for paper, claims in groupby(records, key=lambda claim: claim.label.split("/")[0]):
        lines += ["", f"## `{paper}/`"]
        for claim in claims:
            lines += [
                "",
                f"({anchor(claim.label)})=",
                f"### `{claim.label}`",
                "",
                markdown(claim.statement),
                "",
                f"*Source:* {markdown(claim.source)}. *Evidence:* {claim.evidence}. *Verdict:* {claim.verdict}.",
            ]
            if claim.label in explained:
                lines[-1] += f" [In the theory page](#{claim.label})."
            lines += ["", *(f"- *{budget}:* {markdown(shown)}" for budget, shown in claim.budgets.items())]
    lines += ["", "## Not checked yet", ""]
    lines += [", ".join(f"`{label}`" for label in ntp_theory.claims.PENDING) + "."]
    return "\n".join(lines) + "\n"


def anchor(label: str) -> str:
    """The target of a claim on the page of claims; docutils folds the case of targets."""
    return f"claim/{label}".lower()


def markdown(text: str) -> str:
    """Plain text with backticks as Markdown: formulas are not markup, and labels are links."""
    known = set(ntp_theory.claims.labels())
    parts = text.split("`")
    for i, part in enumerate(parts):
        if i % 2 == 0:
            parts[i] = re.sub(r"([\\*_<>\[\]{}$~^|#])", r"\\\1", part)
        else:
            parts[i] = f"[`{part}`](#{anchor(part)})" if part in known else f"`{part}`"
    return "".join(parts)


def generate(app: Sphinx) -> None:
    """Write the generated pages before Sphinx reads its sources."""
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "api.md").write_text(api_page(), encoding="utf-8")
    (GENERATED / "claims.md").write_text(claims_page(), encoding="utf-8")


def setup(app: Sphinx) -> None:
    """Register the generator."""
    app.connect("builder-inited", generate)
