"""Datasets, their decoders and losses."""

from __future__ import annotations

import math

import numpy as np
import scipy.sparse
import torch

from ntp_theory import NTPDataset, loss, subspace
from ntp_theory.construct import random
from ntp_theory.distributed import shard_contexts
from ntp_theory.errors import DatasetError, UsageError

from .bad import DATA, Bad

H = [[1.0, 0.0], [0.0, 1.0]]
P = [[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]
W = [[0.0, 0.0]] * 3
NAN, INF = math.nan, math.inf

DATASET = [
    Bad("words for numbers", lambda _: NTPDataset([["a", "b"]], [[1.0]]), DatasetError, ("embeddings", "real numbers")),
    Bad("None for embeddings", lambda _: NTPDataset(None, [[1.0]]), DatasetError, ("embeddings", "matrix")),
    Bad("ragged embeddings", lambda _: NTPDataset([[1.0], [1.0, 2.0]], P), DatasetError, ("embeddings", "rectangular")),
    Bad(
        "complex embeddings", lambda _: NTPDataset([[1j]], [[1.0]]), DatasetError, ("embeddings", "complex128", "real")
    ),
    Bad("a vector of embeddings", lambda _: NTPDataset([1.0, 2.0], P), DatasetError, ("embeddings", "(2,)", "matrix")),
    Bad("no contexts", lambda _: NTPDataset([], []), DatasetError, ("probabilities", "(0,)")),
    Bad("no dimensions", lambda _: NTPDataset([[], []], P), DatasetError, ("embeddings", "(2, 0)", "empty")),
    Bad("no tokens", lambda _: NTPDataset(H, np.zeros((2, 0))), DatasetError, ("probabilities", "(2, 0)", "empty")),
    Bad(
        "NaN embedding",
        lambda _: NTPDataset([[1.0, NAN], [0, 1]], P),
        DatasetError,
        ("embeddings[0, 1]", "nan", "finite"),
    ),
    Bad("infinite embedding", lambda _: NTPDataset([[INF, 0], [0, 1]], P), DatasetError, ("embeddings[0, 0]", "inf")),
    Bad(
        "integers beyond floats",
        lambda _: NTPDataset([[10**400]], [[1.0]]),
        DatasetError,
        ("embeddings", "real numbers"),
    ),
    Bad("huge embedding", lambda _: NTPDataset([[1e300, 0], [0, 1]], P), DatasetError, ("row 0", "1e+300", "scale")),
    Bad("tiny embedding", lambda _: NTPDataset([[1e-300, 0], [0, 1]], P), DatasetError, ("row 0", "1e-300", "scale")),
    Bad(
        "embeddings without numbers",
        lambda _: NTPDataset(torch.zeros(2, 2, device="meta"), P),
        DatasetError,
        ("embeddings", "meta"),
    ),
    Bad(
        "sparse embeddings",
        lambda _: NTPDataset(scipy.sparse.eye(2), P),
        DatasetError,
        ("embeddings", "sparse", ".toarray()"),
    ),
    Bad(
        "dates for numbers",
        lambda _: NTPDataset(np.zeros((2, 2), "M8[s]"), P),
        DatasetError,
        ("embeddings", "datetime64"),
    ),
    Bad(
        "more rows than contexts",
        lambda _: NTPDataset([[1.0]] * 3, P),
        DatasetError,
        ("embeddings", "3 rows", "2 contexts"),
    ),
    Bad(
        "negative probability",
        lambda _: NTPDataset(H, [[1.5, -0.5, 0], [0, 0, 1]]),
        DatasetError,
        ("probabilities[0, 1]", "-0.5", "at least 0"),
    ),
    Bad(
        "NaN probability",
        lambda _: NTPDataset(H, [[NAN, 1, 0], [0, 0, 1]]),
        DatasetError,
        ("probabilities[0, 0]", "nan", "finite"),
    ),
    Bad(
        "a row that sums to less",
        lambda _: NTPDataset(H, [[0.5, 0.4, 0], [0, 0, 1]]),
        DatasetError,
        ("probabilities row 0", "0.9", "sum to 1"),
    ),
    Bad(
        "a row of zeros",
        lambda _: NTPDataset(H, [[0, 0, 0], [0, 0, 1]]),
        DatasetError,
        ("probabilities row 0", "empty support"),
    ),
    Bad(
        "sums beyond floats",
        lambda _: NTPDataset(H, [[1e308, 1e308, 0], [0, 0, 1]]),
        DatasetError,
        ("probabilities row 0", "inf"),
    ),
    Bad(
        "probabilities without numbers",
        lambda _: NTPDataset(H, torch.ones(2, 3, device="meta")),
        DatasetError,
        ("probabilities", "meta"),
    ),
    Bad(
        "sparse probabilities without numbers",
        lambda _: NTPDataset(H, torch.eye(2).to_sparse().to("meta")),
        DatasetError,
        ("probabilities", "meta"),
    ),
    Bad(
        "a sparse vector",
        lambda _: NTPDataset(H, torch.ones(3).to_sparse()),
        DatasetError,
        ("probabilities", "(3,)", "matrix"),
    ),
    Bad(
        "sparse objects",
        lambda _: NTPDataset(H, scipy.sparse.csr_array(np.eye(2)).astype(complex)),
        DatasetError,
        ("probabilities", "real"),
    ),
    Bad("NaN weight", lambda _: NTPDataset(H, P, [NAN, 1.0]), DatasetError, ("weights[0]", "nan", "finite")),
    Bad("zero weight", lambda _: NTPDataset(H, P, [0.0, 1.0]), DatasetError, ("weights[0]", "0.0", "positive")),
    Bad(
        "one weight for two contexts",
        lambda _: NTPDataset(H, P, [1.0]),
        DatasetError,
        ("weights", "(1,)", "2 contexts"),
    ),
    Bad(
        "weights that sum to more", lambda _: NTPDataset(H, P, [0.5, 0.6]), DatasetError, ("weights", "1.1", "sum to 1")
    ),
    Bad("weights by name", lambda _: NTPDataset(H, P, "uniform"), DatasetError, ("weights", "real numbers")),
    Bad("a str of names", lambda _: NTPDataset(H, P, token_names="abc"), DatasetError, ("token_names", "str")),
    Bad(
        "a name that is none",
        lambda _: NTPDataset(H, P, token_names=["a", None, "c"]),
        DatasetError,
        ("token_names[1]", "None"),
    ),
    Bad(
        "two tokens of one name",
        lambda _: NTPDataset(H, P, token_names=["é", "é", "c"]),
        DatasetError,
        ("token_names", "'é'", "unique"),
    ),
    Bad(
        "too few names",
        lambda _: NTPDataset(H, P, context_names=["a"]),
        DatasetError,
        ("context_names", "1 entries", "2"),
    ),
    Bad("one embedding, two rows", lambda _: NTPDataset([[1.0], [1.0]], P), DatasetError, ("same embedding", "pool")),
    Bad("half precision", lambda _: NTPDataset(H, P, dtype=torch.float16), UsageError, ("dtype", "float16", "float64")),
    Bad(
        "a dtype by name",
        lambda _: NTPDataset(H, P, dtype="float64"),
        UsageError,
        ("dtype", "'float64'", "torch.float64"),
    ),
    Bad("a device without numbers", lambda _: NTPDataset(H, P, device="meta"), UsageError, ("device", "meta")),
    Bad(
        "a device that is none", lambda _: NTPDataset(H, P, device="gpu please"), UsageError, ("device", "'gpu please'")
    ),
    Bad("a device that is not there", lambda _: NTPDataset(H, P, device="cuda:99"), UsageError, ("device", "cuda:99")),
    Bad("a device of no type", lambda _: NTPDataset(H, P, device=[]), UsageError, ("device", "[]")),
    Bad("moved to nowhere", lambda _: DATA.to(device="meta"), UsageError, ("device", "meta")),
    Bad("moved to half precision", lambda _: DATA.to(dtype=torch.float16), UsageError, ("dtype", "float16")),
    Bad(
        "halved counts",
        lambda _: NTPDataset.from_counts([[1.0]], [[1.5]]),
        DatasetError,
        ("counts[0, 0]", "1.5", "whole"),
    ),
    Bad(
        "negative counts",
        lambda _: NTPDataset.from_counts([[1.0]], [[2, -1]]),
        DatasetError,
        ("counts[0, 1]", "-1", "at least 0"),
    ),
    Bad(
        "huge counts",
        lambda _: NTPDataset.from_counts([[1.0]], [[1e300]]),
        DatasetError,
        ("counts[0, 0]", "1e+300", "2**53"),
    ),
    Bad("no counts", lambda _: NTPDataset.from_counts([[1.0]], [[0, 0]]), DatasetError, ("counts row 0", "empty")),
    Bad(
        "counts on no device",
        lambda _: NTPDataset.from_counts([[1.0]], [[1]], device="meta"),
        UsageError,
        ("device", "meta"),
    ),
    Bad("shards without processes", lambda _: shard_contexts(DATA), UsageError, ("process",)),
]

LOSS = [
    Bad(
        "a decoder of another shape",
        lambda _: loss.evaluate([[0.0]], DATA),
        UsageError,
        ("weights", "(1, 1)", "(3, 2)"),
    ),
    Bad(
        "a NaN decoder", lambda _: loss.evaluate([[0, 0], [0, NAN], [0, 0]], DATA), UsageError, ("weights[1, 1]", "nan")
    ),
    Bad("a decoder in words", lambda _: loss.gradient("zero", DATA), UsageError, ("weights", "matrix", "real")),
    Bad(
        "a complex decoder",
        lambda _: loss.gradient(torch.zeros(3, 2, dtype=torch.complex64), DATA),
        UsageError,
        ("weights", "complex64"),
    ),
    Bad(
        "a sparse decoder",
        lambda _: loss.evaluate(torch.zeros(3, 2).to_sparse(), DATA),
        UsageError,
        ("weights", "sparse"),
    ),
    Bad(
        "a decoder without numbers",
        lambda _: loss.evaluate(torch.zeros(3, 2, device="meta"), DATA),
        UsageError,
        ("weights", "meta"),
    ),
    Bad(
        "a decoder beyond single precision",
        lambda _: loss.evaluate([[1e300, 0]] * 3, DATA.to(dtype=torch.float32)),
        UsageError,
        ("weights[0, 0]", "inf"),
    ),
    Bad("the loss of no data", lambda _: loss.evaluate(W, None), UsageError, ("data", "None", "NTPDataset")),
    Bad(
        "the gradient on a path", lambda _: loss.gradient(W, "data.npz"), UsageError, ("data", "data.npz", "NTPDataset")
    ),
    Bad("gradient parts of no data", lambda _: loss.gradient_parts(W, 3), UsageError, ("data", "3", "NTPDataset")),
    Bad("a projection of no matrix", lambda _: subspace.project(None, DATA), UsageError, ("weights", "matrix")),
    Bad("a projection on no data", lambda _: subspace.project(W, None), UsageError, ("data", "None", "NTPDataset")),
    Bad(
        "a complement of no data",
        lambda _: subspace.project_complement(W, {}),
        UsageError,
        ("data", "{}", "NTPDataset"),
    ),
]

CONSTRUCT = [
    Bad("no vocabulary", lambda _: random(0, 2, 2, 1), UsageError, ("vocab_size", "0")),
    Bad("half a vocabulary", lambda _: random(2.5, 2, 2, 1), UsageError, ("vocab_size", "2.5", "whole")),
    Bad("no dimension", lambda _: random(3, -1, 2, 1), UsageError, ("dim", "-1")),
    Bad("yes for a number", lambda _: random(3, 2, True, 1), UsageError, ("num_contexts", "True")),
    Bad("supports above the vocabulary", lambda _: random(3, 2, 2, 9), UsageError, ("support_size", "9", "3")),
    Bad("an empty range of supports", lambda _: random(3, 2, 2, (3, 1)), UsageError, ("support_size",)),
    Bad("a range of three", lambda _: random(3, 2, 2, (1, 2, 3)), UsageError, ("support_size",)),
    Bad("a support in words", lambda _: random(3, 2, 2, "all"), UsageError, ("support_size", "all")),
    Bad("a negative seed", lambda _: random(3, 2, 2, 1, rng=-1), UsageError, ("rng", "-1")),
    Bad(
        "torch's generator",
        lambda _: random(3, 2, 2, 1, rng=torch.Generator()),
        UsageError,
        ("rng", "numpy.random.Generator"),
    ),
]
