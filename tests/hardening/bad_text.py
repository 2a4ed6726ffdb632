"""Texts, what is made of them, and the command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from ntp_theory import construct, text
from ntp_theory.analysis import analyze
from ntp_theory.errors import DatasetError, UsageError

from .bad import DATA, Bad

SOME = "to be or not to be, that is the question"


def written(folder: Path, content: bytes) -> Path:
    path = folder / "a.txt"
    path.write_bytes(content)
    return path


TEXT = [
    Bad("no text", lambda _: construct.from_text(""), DatasetError, ("text",)),
    Bad("white space", lambda _: construct.from_text(" \n\t "), DatasetError, ("text",)),
    Bad("too short a text", lambda _: construct.from_text("word", context_length=2), DatasetError, ("text", "1")),
    Bad("a number", lambda _: construct.from_text(3), UsageError, ("text", "int", "str")),
    Bad("bytes", lambda _: construct.from_text(b"to be or not to be"), DatasetError, ("text", "chunk", "str")),
    Bad("chunks that are none", lambda _: construct.from_text(["to be", None]), DatasetError, ("None", "chunk")),
    Bad("a zero byte", lambda _: construct.from_text("to be\0or not"), DatasetError, ("\\x00", "text")),
    Bad("half a surrogate pair", lambda _: construct.from_text("to be \ud800 not"), DatasetError, ("\\ud800", "text")),
    Bad("no file", lambda f: construct.from_text(f / "no.txt"), DatasetError, ("no.txt", "does not exist")),
    Bad("a folder", lambda f: construct.from_text(f), DatasetError, ("cannot be read",)),
    Bad("a file without a byte", lambda f: construct.from_text(written(f, b"")), DatasetError, ("a.txt",)),
    Bad(
        "a file in another encoding",
        lambda f: construct.from_text(written(f, "für".encode("latin-1"))),
        DatasetError,
        ("a.txt", "UTF-8"),
    ),
    Bad(
        "a file in UTF-16",
        lambda f: construct.from_text(written(f, SOME.encode("utf-16"))),
        DatasetError,
        ("a.txt", "UTF-8"),
    ),
    Bad(
        "a file cut within a character",
        lambda f: construct.from_text(written(f, "to be or not 語".encode()[:-1])),
        DatasetError,
        ("a.txt", "UTF-8"),
    ),
    Bad(
        "a binary file", lambda f: construct.from_text(written(f, bytes(range(128)))), DatasetError, ("a.txt", "\\x00")
    ),
    Bad(
        "a file with a zero in its name", lambda _: construct.from_text(Path("a\0b")), DatasetError, ("cannot be read",)
    ),
    Bad(
        "a name too long for a file", lambda _: construct.from_text(Path("a" * 5000)), DatasetError, ("cannot be read",)
    ),
    Bad(
        "an unknown tokenizer",
        lambda _: construct.from_text(SOME, tokenizer="morse"),
        UsageError,
        ("tokenizer", "'morse'", "'word'"),
    ),
    Bad("a tokenizer that is none", lambda _: list(text.tokenize(SOME, None)), UsageError, ("tokenizer", "None")),
    Bad(
        "contexts of no tokens",
        lambda _: construct.from_text(SOME, context_length=0),
        UsageError,
        ("context_length", "0"),
    ),
    Bad(
        "half a context", lambda _: construct.from_text(SOME, context_length=1.5), UsageError, ("context_length", "1.5")
    ),
    Bad(
        "an unknown embedding",
        lambda _: construct.from_text(SOME, embedding="magic"),
        UsageError,
        ("embedding", "magic", "random"),
    ),
    Bad(
        "an embedding of another shape",
        lambda _: construct.from_text(SOME, embedding=lambda c: np.zeros((1, 2))),
        DatasetError,
        ("embedding",),
    ),
    Bad(
        "an embedding of NaN",
        lambda _: construct.from_text(SOME, embedding=lambda c: np.full((len(c), 2), np.nan)),
        DatasetError,
        ("embedding(contexts)[0, 0]", "nan"),
    ),
    Bad(
        "an embedding of nothing",
        lambda _: construct.from_text(SOME, embedding=lambda c: None),
        DatasetError,
        ("embedding",),
    ),
    Bad("an embedding in no dimension", lambda _: construct.from_text(SOME, dim=0), UsageError, ("dim", "0")),
    Bad("a vocabulary of one", lambda _: construct.from_text(SOME, vocab_size=1), UsageError, ("vocab_size", "1")),
    Bad("no contexts", lambda _: construct.from_text(SOME, max_contexts=0), UsageError, ("max_contexts", "0")),
    Bad("a seed in words", lambda _: construct.from_text(SOME, rng="lucky"), UsageError, ("rng", "lucky")),
    Bad("counts of a number", lambda _: construct.count_contexts(3, 1), UsageError, ("tokens", "3")),
    Bad(
        "byte pairs of what can be read once",
        lambda _: list(text.tokenize(iter([SOME]), "bpe")),
        UsageError,
        ("once", "bpe"),
    ),
    Bad("an unknown design", lambda _: construct.designed("art deco"), UsageError, ("art deco",)),
    Bad(
        "negative lengths of documentation",
        lambda _: construct.documentation_text(-1),
        UsageError,
        ("max_characters", "-1"),
    ),
    Bad("an analysis of a text", lambda _: analyze(SOME), UsageError, ("data", "NTPDataset")),
    Bad("an analysis in -1 steps", lambda _: analyze(DATA, steps=-1), UsageError, ("steps", "-1")),
    Bad(
        "features of no model",
        lambda _: construct.from_model(None, torch.zeros(1, 2, dtype=torch.int64)),
        UsageError,
        ("features", "None", "function"),
    ),
    Bad(
        "features of float tokens",
        lambda _: construct.from_model(lambda t: t, torch.zeros(1, 2)),
        UsageError,
        ("tokens", "int64"),
    ),
    Bad(
        "features of negative tokens",
        lambda _: construct.from_model(lambda t: t[..., None].double(), torch.full((1, 3), -1)),
        UsageError,
        ("tokens", "-1"),
    ),
    Bad(
        "features of another shape",
        lambda _: construct.from_model(lambda t: t.double(), torch.zeros(1, 3, dtype=torch.int64)),
        UsageError,
        ("features",),
    ),
    Bad(
        "features that are none",
        lambda _: construct.from_model(lambda t: None, torch.zeros(1, 3, dtype=torch.int64)),
        UsageError,
        ("features",),
    ),
    Bad(
        "features in batches of none",
        lambda _: construct.from_model(
            lambda t: t[..., None].double(), torch.zeros(1, 3, dtype=torch.int64), batch_size=0
        ),
        UsageError,
        ("batch_size", "0"),
    ),
]
