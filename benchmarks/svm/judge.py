"""The verdict on an answer: how far a decoder is from the solution, or what a refutation excludes."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import ntp_theory as ntp
from ntp_theory import NTPDataset

from .certificate import distance_bound_in_doubles
from .reference import Reference, homotopy, refine

__all__ = ["LARGE", "excluded_norm", "reference", "relative_bound"]

Array = np.ndarray

# Entries of the logits beyond which there is no reference: answers are judged by their own multipliers, in doubles.
LARGE = 10**6


def reference(name: str, data: NTPDataset, folder: Path) -> Reference | None:
    """The reference of an instance, kept in a folder; None if the instance is too large for one."""
    if data.num_contexts * data.vocab_size >= LARGE:
        return None
    file = folder / f"{name}.npz"
    if file.is_file():
        with np.load(file) as kept:
            return Reference(kept["weights"], float(kept["bound"]))
    h, support = data.embeddings.numpy(), data.support.numpy()
    # whose answer it starts from does not matter: it is proved, or homotopy finds it from nothing
    try:
        near = ntp.solve_svm(data, tol=1e-10)
    except ntp.errors.SolverError as error:
        near = error.best
    direction, duals = getattr(near, "direction", None), getattr(near, "duals", None)
    found = None
    if direction is not None and duals is not None:
        found = refine(h, support, direction.numpy(), -duals.numpy())
    if found is None or not np.isfinite(found.bound):
        found = homotopy(h, support)
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(file, weights=found.weights, bound=found.bound)
    return found


def relative_bound(data: NTPDataset, answer: dict[str, Array], known: Reference | None) -> float:
    """Upper bound on ``||W - W_mm|| / ||W_mm||``; infinite if nothing can be said."""
    weights = answer.get("weights")
    if weights is None or not np.isfinite(weights).all():
        return np.inf
    if known is not None:
        return known.distance_bound(weights)
    if "duals" not in answer or data.num_contexts > data.dim:
        return np.inf
    apart = distance_bound_in_doubles(data.embeddings.numpy(), data.support.numpy(), weights, -answer["duals"])
    return apart / max(float(np.linalg.norm(weights)) - apart, np.finfo(float).tiny)


def excluded_norm(data: NTPDataset, refutation: Array) -> float:
    """No decoder of a smaller norm has margins of at least 1, embeddings being scaled to root-mean-square norm 1.

    For C in the cone of multipliers every decoder with margins of at least 1 has ``sum alpha <= <C^T H, W>``, so its
    norm is at least ``sum alpha / ||C^T H||``. For an exact refutation that is infinite; rounding leaves some 1e15.
    """
    h, support = data.embeddings.numpy(), data.support.numpy()
    c = np.where(support, refutation, np.minimum(refutation, 0.0))
    c -= np.where(support, c.sum(axis=1, keepdims=True) / support.sum(axis=1, keepdims=True), 0.0)
    left = float(np.linalg.norm(c.T @ h)) / float(np.sqrt((h * h).sum() / len(h)))
    return float(-c[~support].sum()) / max(left, np.finfo(float).tiny)
