"""The table of bad inputs: every row, by door. The page on reliability counts and lists them from here."""

from __future__ import annotations

from . import (
    bad_answers,
    bad_commands,
    bad_datasets,
    bad_files,
    bad_runs,
    bad_sequences,
    bad_text,
    bad_theory,
)
from .bad import Bad

__all__ = ["TABLE", "counts"]

TABLE: dict[str, list[Bad]] = {
    "datasets": bad_datasets.DATASET,
    "losses and projections": bad_datasets.LOSS,
    "random datasets": bad_datasets.CONSTRUCT,
    "texts and models as data": bad_text.TEXT,
    "conditions, probabilities, sweeps": bad_answers.CONDITIONS,
    "the NTP-SVM": bad_answers.SVM,
    "predictions and comparisons": bad_answers.PREDICT,
    "claims": bad_answers.CLAIMS,
    "gradient methods": bad_runs.DESCENT,
    "gradient flow": bad_runs.FLOW,
    "regularisation paths": bad_runs.PATHS,
    "saved files": bad_files.FILES,
    "checkpoints": bad_files.CHECKPOINTS,
    "full disks, read-only folders, writes cut short": bad_files.WRITES,
    "the command line": bad_commands.COMMANDS,
    "tasks": bad_sequences.TASKS,
    "sequence models": bad_sequences.MODELS,
    "training": bad_sequences.TRAINING,
    "decoding": bad_sequences.DECODING,
    "measures": bad_sequences.MEASURES,
    "planning": bad_theory.PLANNING,
    "several tokens ahead": bad_theory.MULTITOKEN,
    "learned geometry": bad_theory.GEOMETRY,
    "attention": bad_theory.ATTENTION,
    "readings": bad_theory.READINGS,
    "trained models": bad_theory.BRIDGE,
    "figures": bad_theory.FIGURES,
}


def counts() -> dict[str, int]:
    """How many rows each door has."""
    return {door: len(rows) for door, rows in TABLE.items()}
