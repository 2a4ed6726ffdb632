"""``python -m tests.hardening.fuzz READER``: coverage-guided fuzzing of what reads files, by atheris (libFuzzer).

A reader may refuse its input with an error of `ntp_theory.errors`, or take it; any other exception is a find, and is
written to a file beside the corpus. Archives are fuzzed in two ways: as bytes, which test the reader of archives, and
as members that are packed with valid checksums afterwards, which test what is behind it. Corpora begin with valid
files, made here, and are kept between runs in ``--corpus``, not in the repository.
"""

from __future__ import annotations

import argparse
import io
import json
import re
import subprocess
import sys
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit("error: fuzzing needs the package atheris; pip install atheris")

READING = ["construct", "dataset", "descent", "doors", "margin.files", "runs", "sequence.training", "support", "text"]
WATCHED = [*(f"ntp_theory.{name}" for name in READING), "proofs_check.certificates", "zipfile", "json"]

# what is watched is slow to import, so only the process that fuzzes does it
with atheris.instrument_imports(include=WATCHED) if "--inside" in sys.argv else nullcontext():
    import numpy as np
    import torch

    import ntp_theory as ntp
    from ntp_theory import construct
    from ntp_theory.construct import TOKENIZERS
    from ntp_theory.errors import NTPError
    from ntp_theory.runs import digest, write_text
    from ntp_theory.sequence import models, tasks, training
    from proofs_check.certificates import verify

BETWEEN = b"|<>|"  # members of an archive to be packed
DATA = ntp.NTPDataset([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]], token_names=["a", "b", "é"])
TASK = tasks.PathStar(2, 2, 4)


def text(path: Path) -> object:
    """A file as text, by the tokenizer that its first byte picks."""
    first = path.read_bytes()[:1] or b"\0"
    return construct.from_text(path, tokenizer=TOKENIZERS[first[0] % len(TOKENIZERS)], context_length=1, dim=4)


def descent(path: Path) -> object:
    """A checkpoint of a run that goes on for a step."""
    return ntp.descend(DATA, "adam", steps=4, checkpoint=path)


def trained(path: Path, steps: int = 2) -> object:
    """A checkpoint of a training that goes on for a step."""
    model = models.model_for(TASK, layers=1)
    settings = training.Settings(batch_size=2)
    more: dict[str, Any] = {"settings": settings, "evaluate_every": steps, "evaluate_count": 2, "checkpoint": path}
    return training.train(model, TASK, training.TeacherForcing(), steps=steps, **more)


def certificate(path: Path) -> object:
    """A certificate, before the checker that shares no code with the library."""
    report = verify(path.read_bytes())
    assert report.status in (0, 1, 2)
    return json.dumps(report.to_dict())


READERS: dict[str, Callable[[Path], object]] = {
    "text": text,
    "dataset": lambda path: ntp.NTPDataset.load(path).summary(),
    "certificate": certificate,
    "solution": lambda path: ntp.SVMSolution.load(path).summary(),
    "trajectory": lambda path: ntp.Trajectory.load(path).summary(),
    "descent": descent,
    "training": trained,
}


def seeds(reader: str, folder: Path) -> list[bytes]:
    """Valid files of a reader."""
    path = folder / "seed"
    if reader == "text":
        words = "To be, or not to be: that is the question. Żółć, 語 und\r\n\tÄpfel! "
        return [bytes([i]) + words.encode() * 3 for i in range(len(TOKENIZERS))]
    if reader == "certificate":
        answers = (ntp.check_separability(DATA), ntp.check_compatibility(DATA), ntp.solve_svm(DATA))
        overlap = ntp.check_separability(ntp.NTPDataset([[1.0], [2.0]], [[1.0, 0.0], [0.0, 1.0]]))
        return [answer.verify(exact=True).save(path).read_bytes() for answer in (*answers, overlap)]
    {
        "dataset": lambda: DATA.save(path),
        "solution": lambda: ntp.solve_svm(DATA).save(path),
        "trajectory": lambda: ntp.descend(DATA, steps=2).save(path),
        "descent": lambda: ntp.descend(DATA, "adam", steps=3, checkpoint=path),
        "training": lambda: trained(path, 1),
    }[reader]()
    with zipfile.ZipFile(path) as file:
        members = BETWEEN.join(name.encode() + b"\n" + file.read(name) for name in file.namelist())
    return [path.read_bytes(), members]


def packed(content: bytes) -> bytes:
    """Members, ``name newline content`` each, as an archive; anything else as it is."""
    if BETWEEN not in content:
        return content
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # two members of one name
        for member in content.split(BETWEEN):
            name, _, inside = member.partition(b"\n")
            file.writestr(name.decode("latin-1").replace("\0", "") or "x", inside)
    return archive.getvalue()


def fuzz(reader: str, seconds: int, corpus: Path) -> None:
    """Fuzz in this process; atheris ends it."""
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp())
    corpus.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(seeds(reader, folder)):
        (corpus / f"seed-{i}").write_bytes(seed)
    read, path, finds = READERS[reader], folder / "input", corpus.with_name(f"{corpus.name}-finds")
    finds.mkdir(exist_ok=True)

    def one(content: bytes) -> None:
        path.write_bytes(packed(content))
        try:
            read(path)
        except NTPError:
            pass
        except Exception:
            (finds / digest({"content": np.frombuffer(content, np.uint8)})).write_bytes(content)
            raise

    limits = [
        f"-max_total_time={seconds}",
        "-max_len=65536",
        "-rss_limit_mb=4096",
        "-timeout=60",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *limits, str(corpus)], one)
    atheris.Fuzz()


def main(argv: list[str] | None = None) -> int:
    """Fuzz each reader in a process of its own; 0 if nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"of {', '.join(READERS)}; all if none is named")
    parser.add_argument("--seconds", type=int, default=120, help="for each reader (default: 120)")
    parser.add_argument("--corpus", type=Path, default=Path("out/fuzz"))
    parser.add_argument("--figures", type=Path, help="write what was run, as JSON; figures of other readers stay")
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args(argv)
    if unknown := set(options.readers) - set(READERS):
        parser.error(f"unknown reader {unknown.pop()!r}")
    if options.inside:
        fuzz(options.readers[0], options.seconds, options.corpus / options.readers[0])
    figures = json.loads(options.figures.read_text()) if options.figures and options.figures.exists() else {}
    failed = False
    for reader in options.readers or READERS:
        command = [sys.executable, "-m", "tests.hardening.fuzz", "--inside", reader]
        command += ["--seconds", str(options.seconds), "--corpus", str(options.corpus)]
        done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
        failed |= done.returncode != 0
        runs = re.search(r"number_of_executed_units: (\d+)", done.stderr)
        covered = re.findall(r"cov: (\d+)", done.stderr)
        figures[reader] = {
            "inputs": int(runs[1]) if runs else 0,
            "edges": int(covered[-1]) if covered else 0,
            "seconds": options.seconds,
            "finds": int(done.returncode != 0),
            "date": time.strftime("%Y-%m-%d"),
        }
        print(reader, figures[reader], flush=True)
        if done.returncode:
            print(done.stderr[-3000:], flush=True)
        if options.figures:
            write_text(options.figures, json.dumps(figures, indent=2) + "\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
