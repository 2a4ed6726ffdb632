"""The examples run at a small size, hold, and write their figure."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ntp_theory import Check

FOLDER = Path(__file__).parents[2] / "examples"
SMALL = {
    "four_panels": {"steps": 200},
    "toy_embeddings": {"steps": 200},
    "text_to_prediction": {"contexts": 4, "tokens": 8, "dim": 8, "patience": 10.0},
    "readings": {"contexts": 6, "tokens": 40, "dim": 8, "draws": 600},
    "exact_certificates": {"contexts": 60, "tokens": 30, "dim": 16},
    "separability_phase_diagram": {"again": [(2, 1, 40, 28), (3, 2, 12, 11)]},
    "three_regimes": {"path_length": 3, "share": 0.01},
    "plateau_map": {"shapes": ((2, 3),), "seeds": 2, "steps": 3},
    "crossing": {"seeds": 1, "steps": 2},
    "last_layer": {"path_length": 3, "share": 0.01, "questions": 40},
    "real_text": {"width": 16, "layers": 1, "steps": 2, "seeds": 2, "widths": (8,)},
    "pre_caching": {"share": 0.01, "length": 8},
    "features_along_training": {"vocab_size": 6, "contexts": 12, "width": 8, "steps": 200, "descent": 1000},
    "free_features": {"ridges": (1e-4, 1e-8)},
    "memory": {"length": 64, "vocab_size": 2048, "width": 16},
    "trees": {"steps": 3, "width": 8, "prompts": 4, "budgets": (1, 2, 4)},
    "graph_svm": {"log_time": 100.0, "steps": 3000},
    "token_selection": {"steps": 3000},
    "acceptance": {"steps": 3, "width": 8, "prompts": 4, "groups": 2},
    "soft_labels": {"again": [("sign", 3, 1, 200)]},
    "shared_unembedding": {"again": [("one-hot", 3, 0.1, 5.0)]},
    "choice_points": {"heads": 2},
    "laws_beside_samples": {"samples": 200},
}
SCRIPTS = sorted(FOLDER.glob("*/[!_]*.py"))


def function_of(script: Path):
    """The function that a script is named after."""
    spec = importlib.util.spec_from_file_location(script.stem, script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return getattr(module, script.stem)


def test_every_script_is_tested_and_listed() -> None:
    assert {script.stem for script in SCRIPTS} == set(SMALL)
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert [script.name for script in SCRIPTS if str(script.relative_to(FOLDER)) not in readme] == []


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_example_holds(script: Path, tmp_path: Path) -> None:
    checks = function_of(script)(tmp_path, **SMALL[script.stem])
    assert checks and all(isinstance(check, Check) for check in checks)
    assert [check.line() for check in checks if not check.holds] == []
    assert (tmp_path / f"{script.stem}.png").read_bytes()[1:4] == b"PNG"


def test_toy_names_the_words_that_share_a_row() -> None:
    checks = function_of(FOLDER / "implicit_bias" / "toy_embeddings.py")(steps=10)
    assert checks[0].label == "bias/figure-toy" and checks[0].holds
