"""Where the repository names a label: code, tests, examples and pages that rest on a statement."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

__all__ = ["LABEL", "ROOT", "citations", "files"]

ROOT = Path(__file__).parents[1]
FOLDERS = ("ntp_theory", "proofs_check", "tests", "examples", "benchmarks", "docs")
PAPERS = "bias|svm|geometry|attention|capacity|steepest|classical|pitfalls|planning|multitoken|speculative|medusa"
# not inside a path, which goes on with a slash or a suffix; `bias/sharp-gd-*` names a family
LABEL = re.compile(rf"(?<![\w/.-])(?:{PAPERS})/[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*(?:-\*)?(?![\w/]|\.\w)")


def files() -> Iterator[Path]:
    """The texts of the repository in which labels are looked for; built pages repeat them."""
    candidates = [*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).glob("**/*"))]
    for path in sorted(candidates):
        if path.suffix in (".py", ".md") and path.is_file() and not {"_build", "_generated"} & set(path.parts):
            yield path


def citations(known: list[str]) -> dict[str, list[str]]:
    """For every known label the files that name it, relative to the root; a family is named for each of its labels.

    Examples
    --------
    >>> "proofs_check/bias/split.py" in citations(["bias/split"])["bias/split"]
    True
    """
    found: dict[str, list[str]] = {label: [] for label in known}
    for path in files():
        name = str(path.relative_to(ROOT))
        named = set(LABEL.findall(path.read_text(encoding="utf-8")))
        families = tuple(label[:-1] for label in named if label.endswith("-*"))
        for label in known:
            if label in named or (families and label.startswith(families)):
                found[label].append(name)
    return found
