"""Where the statements are: one file a label, found by its name."""

from __future__ import annotations

import importlib
import inspect
from pathlib import Path

from .statement import Statement

__all__ = ["labels", "load", "module_name"]

HERE = Path(__file__).parent
# Folders that hold no statements.
OTHER = ("certificates", "kit", "__pycache__")


def module_name(label: str) -> str:
    """The module, within this package, that decides a label.

    Examples
    --------
    >>> module_name("bias/erratum-E1")
    'bias.erratum_e1'
    """
    return label.lower().replace("/", ".").replace("-", "_")


def labels() -> list[str]:
    """The label of every file, in the order of the theory."""
    from ntp_theory.claims.labels import LABELS  # here: a certificate is checked without the package

    files = [path for path in HERE.glob("*/*.py") if path.parent.name not in OTHER and path.stem != "__init__"]
    names = {f"{path.parent.name}.{path.stem}" for path in files}
    found = [label for label in LABELS if module_name(label) in names]
    strangers = names - {module_name(label) for label in found}
    if strangers:
        raise ValueError(f"proofs_check has files whose names are no label of the theory: {sorted(strangers)}")
    return found


def load(label: str) -> Statement:
    """The statement of a label, with its words.

    Raises
    ------
    ValueError
        If the file has no ``statement``, or that of another label, or no docstring.
    """
    module = importlib.import_module(f".{module_name(label)}", __package__)
    statement = getattr(module, "statement", None)
    if not isinstance(statement, Statement) or statement.label != label:
        raise ValueError(f"{module.__name__}: it must define statement = Statement({label!r}, ...)")
    statement.text = inspect.getdoc(module) or ""
    if not statement.text:
        raise ValueError(f"{module.__name__}: its docstring must state {label}")
    return statement
