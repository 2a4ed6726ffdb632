"""What each subcommand of ``ntp-theory`` does: from parsed arguments to an answer and an exit status."""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from . import claims, construct, figures, report, runs
from ._version import __version__
from .analysis import Analysis, analyze, limit_to_dict, run_to_dict
from .bridge import head_weights, last_layer, text_features
from .checks import Check
from .compare import compare
from .dataset import NTPDataset
from .descent import Trajectory, descend, flow
from .errors import DatasetError, NotSeparableError, UsageError
from .margin import solve_svm
from .margin.norms import FROBENIUS
from .predict import predict
from .readings import overview
from .sequence.models import HuggingFace, model_for
from .sequence.tasks import PathStar
from .sequence.tasks.tokens import FolderTokens
from .sequence.training import TeacherForcing, Teacherless, train
from .text import source as sources

__all__ = ["run_analyze", "run_claims", "run_descend", "run_flow", "run_svm", "run_train", "run_verify", "show"]

# What ``svm`` holds its answer to. In Frobenius a relative gap of 1e-10 certifies its root as distance; rounding adds.
FROBENIUS_TOL, OTHER_TOL = 2e-5, 1e-6

# Options of `analyze` that choose what a model has already, with their defaults.
NOT_OF_MODELS = {
    "tokenizer": "word",
    "embedding": "random",
    "dim": 64,
    "vocab_size": 500,
    "steps": None,
    "exact": False,
}


def run_verify(arguments: argparse.Namespace) -> int:
    """Check the claims, one line a check as soon as it is known; the report and all checks go to the folder."""
    folder = _folder(arguments.out)
    labels = _labels(arguments)
    # if all of them need a larger budget, the first says so below
    labels = [label for label in labels if claims.record(label).largest(arguments.budget)] or labels[:1]
    start, found = time.perf_counter(), list[Check]()
    for done, label in enumerate(labels):
        show(f"{done}/{len(labels)} {label}")
        made = claims.check(label, arguments.budget)
        show("")
        found += made
        if not arguments.json:
            print(*(check.line() for check in made), sep="\n", flush=True)
    document = {
        "version": __version__,
        "budget": arguments.budget,
        "claims": len(labels),
        "held": sum(check.holds for check in found),
        "failed": sum(not check.holds for check in found),
        "seconds": time.perf_counter() - start,
        "checks": [check.to_dict() for check in found],
    }
    if folder is not None:
        runs.write_text(folder / "checks.json", _json(document))
        pictures = report.paper_pictures()
        title = f"Verification, budget {arguments.budget}"
        report.write(folder / "report.html", title, found, pictures=pictures, seconds=document["seconds"])
    counts = (
        f"{len(labels)} claims, {len(found)} checks: {document['held']} held, {document['failed']} did not; "
        f"{document['seconds']:.1f} s" + ("" if folder is None else f"; {folder / 'report.html'}")
    )
    return _answer(arguments, document, counts, all(check.holds for check in found))


def run_analyze(arguments: argparse.Namespace) -> int:
    """What the theory says about a text, or about the last layer of a model on it."""
    if arguments.model is not None:
        return _analyze_model(arguments)
    folder, start = _folder(arguments.out), time.perf_counter()
    show("reading")
    text, name = _text(arguments)
    data = construct.from_text(
        text,
        tokenizer=arguments.tokenizer,
        context_length=arguments.context_length,
        embedding=arguments.embedding,
        dim=arguments.dim,
        vocab_size=arguments.vocab_size,
        max_contexts=arguments.max_contexts,
    )
    show(f"{data.num_contexts} contexts, {data.vocab_size} tokens: deciding separability and compatibility")
    found = analyze(data, steps=arguments.steps, exact=arguments.exact, progress=True)
    document = {"text": name} | found.to_dict()
    summary = f"{name}\n\n{found.summary()}"
    if folder is not None:
        data.save(folder / "data.npz")
        runs.write_text(folder / "analysis.json", _json(document))
        for certificate, proof in found.proofs.items():
            if proof.document is not None:
                proof.save(folder / "certificates" / f"{certificate}.json")
        seconds = time.perf_counter() - start
        title, pictures = f"Analysis of {name}", _pictures(found)
        report.write(folder / "report.html", title, found.checks, text=summary, pictures=pictures, seconds=seconds)
    return _answer(arguments, document, summary, found.holds)


def _analyze_model(arguments: argparse.Namespace) -> int:
    """The head of a model from a folder against the limit of its features."""
    for name, default in NOT_OF_MODELS.items():
        if getattr(arguments, name) != default:
            raise UsageError(f"--{name.replace('_', '-')} cannot be chosen with --model, which brings its own")
    folder, start = _folder(arguments.out), time.perf_counter()
    show("reading")
    text, name = _text(arguments)
    model, tokens = HuggingFace(arguments.model), FolderTokens(Path(arguments.model))
    ids = torch.from_numpy(tokens.encode("".join(sources.read(text))))
    show(f"{len(ids)} tokens: reading what the last layer reads")
    data = text_features(model, ids, context_length=arguments.context_length, max_contexts=arguments.max_contexts)
    show(f"{data.num_contexts} contexts, {data.vocab_size} tokens: the limit of their features")
    found = last_layer(model, data)
    read = overview(found.limit, head=head_weights(model))
    document = {"text": name, "model": arguments.model} | found.to_dict() | {"readings": read.to_dict()}
    lines = [f"{arguments.model} on {name}", "", found.summary(), "", read.summary(), ""]
    lines += [check.line() for check in found.checks]
    summary = "\n".join(lines)
    if folder is not None:
        data.save(folder / "data.npz")
        runs.write_text(folder / "analysis.json", _json(document))
        seconds = time.perf_counter() - start
        report.write(folder / "report.html", f"Last layer of {lines[0]}", found.checks, text=summary, seconds=seconds)
    return _answer(arguments, document, summary, found.holds)


def run_svm(arguments: argparse.Namespace) -> int:
    """The max-margin direction of a saved dataset; status 1 if there is none."""
    folder, data = _folder(arguments.out), NTPDataset.load(arguments.data)
    try:
        solution = solve_svm(data, method=arguments.method, norm=arguments.norm, refine=arguments.refine)
    except NotSeparableError as error:
        certificate: Any = error.certificate
        document = {"separable": False, "certificate": certificate.to_dict()}
        return _answer(arguments, document, certificate.describe(), False)
    if folder is not None:
        solution.save(folder / "svm.npz")
    verified = solution.verify(tol=FROBENIUS_TOL if solution.geometry == FROBENIUS else OTHER_TOL)
    document = {
        "separable": True,
        "method": solution.method,
        "iterations": solution.iterations,
        "route": solution.route,
        "refined": solution.tail is not None,
        "geometry": solution.geometry.name,
        "norm": solution.norm,
        "margin": solution.margin,
        "primal_residual": solution.primal_residual(),
        "dual_residual": solution.dual_residual(),
        "duality_gap": solution.duality_gap(),
        "distance_bound": solution.distance_bound(),
        "verified": verified,
        "support_vectors": [
            {"context": context, "token": token, "multiplier": alpha}
            for context, token, alpha in solution.support_vectors()
        ],
    }
    return _answer(arguments, document, solution.summary(), verified)


def run_descend(arguments: argparse.Namespace) -> int:
    """A gradient method on a saved dataset, against its prediction."""
    folder, data = _folder(arguments.out), NTPDataset.load(arguments.data)
    options = {"step_size": arguments.step_size, "checkpoint": arguments.checkpoint, "progress": True}
    return _compared(descend(data, arguments.method, steps=arguments.steps, **options), folder, "descent", arguments)


def run_flow(arguments: argparse.Namespace) -> int:
    """Gradient flow on a saved dataset, against its prediction."""
    folder, data = _folder(arguments.out), NTPDataset.load(arguments.data)
    return _compared(flow(data, log_time=arguments.log_time, progress=True), folder, "flow", arguments)


def run_train(arguments: argparse.Namespace) -> int:
    """A sequence model trained on path-star graphs; status 0 whatever it learns."""
    folder = _folder(arguments.out)
    order = "reversed" if arguments.objective == "reversed" else "forward"
    num_nodes = arguments.num_nodes or arguments.degree * (arguments.path_length - 1) + 1
    task = PathStar(arguments.degree, arguments.path_length, num_nodes, order, encoding=arguments.encoding)
    model = model_for(task, arguments.model, layers=arguments.layers, seed=arguments.seed)
    objective = Teacherless() if arguments.objective == "teacherless" else TeacherForcing()
    options = {"until": arguments.until, "checkpoint": arguments.checkpoint, "rng": arguments.seed, "progress": True}
    result = train(model, task, objective, steps=arguments.steps, **options)
    if folder is not None:
        result.save(folder / "training.npz")
        figures.save(figures.accuracies(result, task.chance), folder / "accuracies.png")
    document = {
        "task": result.task,
        "objective": result.objective,
        "steps": result.steps,
        "examples": result.examples,
        "seconds": result.seconds,
        "chance": task.chance,
        "evaluations": [asdict(one) for one in result.evaluations],
    }
    return _answer(arguments, document, result.summary(), True)


def _compared(run: Trajectory, folder: Path | None, name: str, arguments: argparse.Namespace) -> int:
    if folder is not None:
        run.save(folder / "trajectory.npz")
    limit = predict(run.data)
    comparison = compare(run, limit)
    document = {
        name: run_to_dict(run),
        "limit": limit_to_dict(limit),
        "note": comparison.note,
        "checks": [check.to_dict() for check in comparison.checks],
        "observed": comparison.observed,
        "holds": comparison.holds,
    }
    words = f"{run.summary()}\n\n{limit.summary()}\n\n{comparison.summary()}"
    return _answer(arguments, document, words, comparison.holds)


def run_claims(arguments: argparse.Namespace) -> int:
    """The registry: label, evidence, verdict, source, statement."""
    found = [claims.record(label) for label in _labels(arguments)]
    document = {
        "claims": [
            {
                "label": claim.label,
                "statement": claim.statement,
                "source": claim.source,
                "evidence": claim.evidence,
                "verdict": claim.verdict,
                "budgets": dict(claim.budgets),
            }
            for claim in found
        ],
        "pending": list(claims.PENDING),
    }
    width = max(len(claim.label) for claim in found)
    lines = []
    for claim in found:
        lines.append(f"{claim.label:<{width}}  {claim.evidence:<9}  {claim.verdict}; {claim.source}")
        lines.append(f"{'':<{width}}  {claim.statement}")
    return _answer(arguments, document, "\n".join(lines), True)


def _labels(arguments: argparse.Namespace) -> list[str]:
    """The labels asked for: the one given, or those that start so; an error with those that come close if none does."""
    of_paper = claims.labels() if arguments.paper == "all" else claims.PAPERS[arguments.paper]
    chosen = [label for label in claims.labels(arguments.label) if label in of_paper]
    return chosen if chosen and arguments.label not in chosen else [claims.record(arguments.label).label]


def _answer(arguments: argparse.Namespace, document: dict[str, Any], text: str, holds: bool) -> int:
    show("")
    print(_json(document) if arguments.json else text, flush=True)
    return 0 if holds else 1


def _text(arguments: argparse.Namespace) -> tuple[str | Path, str]:
    """The text of ``analyze`` and its name."""
    if arguments.documentation:
        return construct.documentation_text(), "the documentation of Python"
    if arguments.text != "-":
        return Path(arguments.text), arguments.text
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig"), "standard input"
    except UnicodeDecodeError as error:
        raise DatasetError(f"text (standard input) is not UTF-8 ({error.reason}); it must be text") from None


def _pictures(found: Analysis) -> list[report.Picture]:
    if found.limit is not None and found.limit.direction is not None:
        axes = figures.four_panels(found.trajectory, found.limit)
        caption = "Dots are measured, lines are computed from the data alone before the run."
    else:
        axes = [figures.loss(found.trajectory, found.limit)]
        caption = "Dots are measured."
        if found.limit is not None:
            caption += " Nothing diverges: the loss goes to its minimum, computed from the data, at a finite decoder."
    return [report.Picture("Gradient descent", caption, figures.png(axes[0]))]


def _folder(out: str | None) -> Path | None:
    """The folder for results, made and tried before the work rather than after it."""
    if out is None:
        return None
    try:
        Path(out).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=out):
            return Path(out)
    except OSError as error:
        raise UsageError(f"--out is {out!r} ({error.strerror}); it must be a folder that can be written") from None


def show(note: str) -> None:
    """What is being done, on a terminal only; nothing wipes it out."""
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K" + note)
        sys.stderr.flush()


def _json(document: dict[str, Any]) -> str:
    return json.dumps(_plain(document), indent=1, ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    """Infinity and NaN, which JSON lacks, as words."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return repr(value) if isinstance(value, float) and not math.isfinite(value) else value
