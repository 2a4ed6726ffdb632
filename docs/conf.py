"""Sphinx configuration; the pages on names and on statements are made from the code, and cannot drift from it."""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType

from sphinx.application import Sphinx

import ntp_theory

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]  # the modules beside this one, and proofs_check

import reliability_tables  # noqa: E402
import room_graph  # noqa: E402
import statement_graph  # noqa: E402
import statement_pages  # noqa: E402

from proofs_check import registry  # noqa: E402

GENERATED = HERE / "_generated"

project = "ntp_theory"
author = "ntp_theory authors"
copyright = "2026, ntp_theory authors"
version = release = ntp_theory.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.mathjax", "sphinx.ext.napoleon"]
INCLUDED = ("api", "bad_inputs", "soak", "fuzz")
exclude_patterns = ["_build", *(f"_generated/{name}.md" for name in INCLUDED), "jupyter_execute"]
# Names in single quotes link to what they name; some are attributes of several classes, and any of these will do.
suppress_warnings = ["ref.python"]
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
            for module in _modules(member):
                sections.setdefault(module.__name__, []).append(f"automodule:: {module.__name__}\n   :members:")
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


def _modules(module: ModuleType) -> list[ModuleType]:
    """A module, or the modules that it hands on if it has nothing else."""
    members = [getattr(module, name) for name in module.__all__]
    return members if all(isinstance(member, ModuleType) for member in members) else [module]


def generate(app: Sphinx) -> None:
    """Write the generated pages before Sphinx reads its sources."""
    GENERATED.mkdir(exist_ok=True)
    (GENERATED / "api.md").write_text(api_page(), encoding="utf-8")
    for name, table in {
        "bad_inputs": reliability_tables.bad_inputs,
        "soak": reliability_tables.soak,
        "fuzz": reliability_tables.fuzzing,
    }.items():
        (GENERATED / f"{name}.md").write_text(table(), encoding="utf-8")
    for name, text in statement_pages.pages().items():
        (GENERATED / name).parent.mkdir(parents=True, exist_ok=True)
        (GENERATED / name).write_text(text, encoding="utf-8")
    room_graph.draw(HERE.parent / "ntp_theory", GENERATED / "rooms.svg")
    known = registry.labels()
    for part, labels in statement_pages.PARTS.items():
        proofs = {label: registry.load(label) for label in known if label in labels}
        statement_graph.draw(proofs, GENERATED / f"graph-{part}.svg")


def setup(app: Sphinx) -> None:
    """Register the generator."""
    app.connect("builder-inited", generate)
