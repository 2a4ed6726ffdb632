"""`NTPDataset`: every rule at the door, every accepted form, files, memory."""

from __future__ import annotations

import copy
import io
import math
import pickle
import tempfile
import tracemalloc
import warnings
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory import runs
from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import CheckpointError, DatasetError, UsageError

NAN, INF = math.nan, math.inf
H = np.eye(2)
P = np.array([[0.5, 0.5, 0.0], [0.0, 0.25, 0.75]])
COUNTS = np.array([[3, 1, 0], [0, 0, 4]])
SPARSE_WARNING = "Sparse (CSR|CSC) tensor support is in beta state"


def sparse(data, rows, columns, shape=(2, 3)):
    return scipy.sparse.coo_array((data, (rows, columns)), shape)


def torch_coo(data, rows, columns, shape=(2, 3)):
    index = torch.stack([torch.as_tensor(rows), torch.as_tensor(columns)])
    return torch.sparse_coo_tensor(index, torch.as_tensor(data), shape, check_invariants=True)


# --- rules ----------------------------------------------------------------------------------------

BAD_MATRICES = [  # (rule that the message ends with, value)
    (r"\[0, 1\] is nan; every entry must be finite", [[0.5, NAN, 0.5], [0, 0, 1]]),
    (r"\[1, 2\] is inf; every entry must be finite", [[0.5, 0.5, 0], [0, 0, INF]]),
    (r"\[0, 0\] is nan; every entry must be finite", sparse([NAN, 1.0], [0, 1], [0, 2])),
    (r"\[1, 2\] is -inf; every entry must be finite", torch_coo([1.0, -INF], [0, 1], [0, 2])),
    (r"\[0, 1\] is -2.0; every entry must be at least 0", [[3, -2, 0], [0, 0, 1]]),
    (r"\[0, 1\] is -2.0; every entry must be at least 0", sparse([3.0, -2.0, 1.0], [0, 0, 1], [0, 1, 2])),
    (r" row 1 has an empty support; every context needs a next token", [[1, 0, 0], [0, 0, 0]]),
    (r" row 0 has an empty support", sparse([0.0, 1.0], [0, 1], [0, 2])),
    (r" row 0 has an empty support", torch_coo([1.0], [1], [2])),
    (r" must be a matrix, got shape \(2,\)", [1.0, 1.0]),
    (r" must be a matrix, got shape \(\)", 1.0),
    (r" must be a matrix, got shape \(1, 1, 1\)", [[[1.0]]]),
    (r" must not be empty, got shape \(0, 3\)", np.zeros((0, 3))),
    (r" must not be empty, got shape \(2, 0\)", np.zeros((2, 0))),
    (r"non-empty sparse matrix .*, got shape \(0, 3\)", scipy.sparse.csr_array((0, 3))),
    (r"non-empty sparse matrix .*, got shape \(2, 0\)", scipy.sparse.csr_array((2, 0))),
    (r"non-empty sparse matrix .*, got shape \(2,\)", scipy.sparse.coo_array(np.ones(2))),
    (r"non-empty sparse matrix .*, got shape \(2,\)", torch.ones(2).to_sparse()),
    (r"non-empty sparse matrix .*, got shape \(2, 2, 2\)", torch.ones(2, 2, 2).to_sparse()),
    (r"non-empty sparse matrix .*, got shape \(2, 3\)", torch.ones(2, 3).to_sparse(1)),
    (r"rectangular array of real numbers", [[1.0, 0.0], [1.0]]),
    (r"rectangular array of real numbers", "hello"),
    (r"rectangular array of real numbers", [["0.5", "0.5"], ["1", "0"]]),
    (r"rectangular array of real numbers", {"a": 1}),
    (r"rectangular array of real numbers \(got complex128\)", P + 0j),
    (r"rectangular array of real numbers", torch.tensor(P) + 0j),
    (r"must hold real numbers", scipy.sparse.csr_array(P + 0j)),
    (r"must hold real numbers", (torch.tensor(P) + 0j).to_sparse()),
    (r"rectangular array of real numbers", np.array([[{}, 1], [2, 3]], dtype=object)),
    (r"rectangular array of real numbers", np.array([["2020-01-01"]], dtype="datetime64[D]")),
    (r"rectangular array of real numbers", [[10**400, 1, 0], [0, 0, 1]]),
]


@pytest.mark.parametrize(("rule", "bad"), BAD_MATRICES)
@pytest.mark.parametrize("name", ["probabilities", "counts"])
def test_matrices_that_are_refused(name, rule, bad):
    make = NTPDataset if name == "probabilities" else NTPDataset.from_counts
    with pytest.raises(DatasetError, match=rule) as caught:
        make(H, bad)
    assert str(caught.value).startswith(name) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("rule", "bad"),
    [
        (r"embeddings\[0, 1\] is nan; every entry must be finite", [[1, NAN], [0, 1]]),
        (r"embeddings\[1, 0\] is inf; every entry must be finite", [[1, 0], [INF, 1]]),
        (r"embeddings has 3 rows but there are 2 contexts; one row per context", np.eye(3)),
        (r"embeddings must be a matrix, got shape \(2,\)", [1.0, 2.0]),
        (r"embeddings must not be empty, got shape \(2, 0\)", np.zeros((2, 0))),
        (r"embeddings is sparse but must be dense", scipy.sparse.csr_array(H)),
        (r"embeddings is sparse but must be dense", torch.eye(2).to_sparse()),
        (r"embeddings must be a rectangular array of real numbers", H * 1j),
        (r"embeddings must be a rectangular array of real numbers", [[1, 2], [3]]),
        (r"embeddings must be a matrix, got shape \(\)", None),
    ],
)
def test_embeddings_that_are_refused(rule, bad):
    for make, rows in ((NTPDataset, P), (NTPDataset.from_counts, COUNTS)):
        with pytest.raises(DatasetError, match=rule):
            make(bad, rows)


@pytest.mark.parametrize(
    ("rule", "rows"),
    [
        (r"probabilities row 0 sums to 1.1; it must sum to 1 within 1e-09", [[0.5, 0.6, 0], [0, 0, 1]]),
        (r"probabilities row 1 sums to 0.9", [[0.5, 0.5, 0], [0, 0.4, 0.5]]),
        (r"probabilities row 0 sums to 1.00000001", [[0.5, 0.5 + 1e-8, 0], [0, 0, 1]]),
        (r"probabilities row 0 sums to 1.0.*within 1e-05", torch.tensor([[0.5, 0.5001, 0], [0, 0, 1]])),
        (r"probabilities row 0 sums to inf", [[1e308, 1e308, 0], [0, 0, 1]]),
    ],
)
def test_rows_that_do_not_sum_to_one(rule, rows):
    with pytest.raises(DatasetError, match=rule):
        NTPDataset(H, rows)


@pytest.mark.parametrize(
    ("rule", "weights"),
    [
        (r"weights has shape \(3,\) but there are 2 contexts; one weight per context", [0.5, 0.25, 0.25]),
        (r"weights must be a vector, got shape \(1, 2\)", [[0.5, 0.5]]),
        (r"weights must be a vector, got shape \(\)", 1.0),
        (r"weights must not be empty, got shape \(0,\)", []),
        (r"weights\[1\] is -0.5; every context must have positive weight", [1.5, -0.5]),
        (r"weights\[0\] is 0.0; every context must have positive weight", [0.0, 1.0]),
        (r"weights sums to 1.1; it must sum to 1 within 1e-09", [0.5, 0.6]),
        (r"weights sums to inf; it must sum to 1", [1e308, 1e308]),
        (r"weights\[1\] is nan; every entry must be finite", [0.5, NAN]),
        (r"weights must be a rectangular array of real numbers", "ab"),
        (r"weights is sparse but must be dense", torch.tensor([0.5, 0.5]).to_sparse()),
    ],
)
def test_weights_that_are_refused(rule, weights):
    with pytest.raises(DatasetError, match=rule):
        NTPDataset(H, P, weights)


@pytest.mark.parametrize(
    ("rule", "names"),
    [
        (r"must be a sequence of str, got str", "abc"),
        (r"must be a sequence of str, got int", 5),
        (r"must be a sequence of str, got set", {"a", "b"}),
        (r"must be a sequence of str, got dict", {"a": 1, "b": 2}),
        (r"must be a sequence of str, got generator", (c for c in "ab")),
        (r"\[1\] is 2; every name must be a str", ["a", 2]),
        (r"\[0\] is 97; every name must be a str", b"ab"),
        (r"has 1 entries, expected 2", ["a"]),
        (r"holds 'a' more than once; names must be unique", ["a", "a"]),
    ],
)
@pytest.mark.parametrize("argument", ["token_names", "context_names"])
def test_names_that_are_refused(argument, rule, names):
    with pytest.raises(DatasetError, match=f"{argument}.*{rule}"):
        NTPDataset(H, P[:, 1:] / P[:, 1:].sum(1, keepdims=True), **{argument: names})


@pytest.mark.parametrize(
    ("entry", "count"),
    [("0.5", 0.5), ("9007199254740992.0", 2**53), ("9007199254740992.0", 2**53 + 1), ("1e\\+30", 10**30)],
)
def test_counts_that_are_not_whole_or_too_large(entry, count):
    rule = rf"counts\[1, 2\] is {entry}; every count must be a whole number below 2\*\*53"
    with pytest.raises(DatasetError, match=rule):
        NTPDataset.from_counts(H, [[1, 0, 0], [0, 1, count]])


def test_contexts_with_one_embedding_and_two_rows_are_refused():
    names = {"context_names": ["the cat", "a dog", "the hat"]}
    h, rows = [[1.0, 0.0], [0.0, 1.0], [1.0, -0.0]], [[0.5, 0.5, 0], [0, 0, 1], [0.5, 0.25, 0.25]]
    with pytest.raises(DatasetError, match="contexts 'the cat' and 'the hat' have the same embedding but"):
        NTPDataset(h, rows, **names)
    with pytest.raises(DatasetError, match="contexts #0 and #2 have the same embedding"):
        NTPDataset.from_counts(h, [[1, 1, 0], [0, 0, 1], [2, 3, 0]])
    same = NTPDataset.from_counts(h, [[1, 1, 0], [0, 0, 1], [2, 2, 0]], **names)
    assert same.num_contexts == 3


@pytest.mark.parametrize("dtype", [torch.int64, torch.float16, torch.bfloat16, torch.cdouble, "float64", None])
def test_only_two_floating_types_are_kept(dtype):
    for make, rows in ((NTPDataset, P), (NTPDataset.from_counts, COUNTS)):
        with pytest.raises(UsageError, match="dtype must be torch.float64 or torch.float32, got"):
            make(H, rows, dtype=dtype)
    if dtype is not None:
        with pytest.raises(UsageError, match="dtype must be"):
            NTPDataset(H, P).to(dtype=dtype)


@pytest.mark.parametrize(
    ("rule", "h", "rows", "weights"),
    [
        ("embeddings has entries too large for torch.float32", H * 1e70, P, None),
        (
            "embeddings row 0 has 1e-20 as its largest entry; in torch.float32 that must be 0 or from",
            H * 1e-20,
            P,
            None,
        ),
        ("probabilities has entries too small for torch.float32", H, [[1, 1e-50, 0], [0, 0, 1]], None),
        ("weights has entries too small for torch.float32", H, P, [1, 1e-50]),
        ("contexts #0 and #1 have the same embedding", [[1.0], [1.0 + 1e-12]], P, None),
    ],
)
def test_rules_that_rounding_to_single_precision_breaks(rule, h, rows, weights):
    double = NTPDataset(h, rows, weights)
    assert math.isfinite(double.entropy)
    with pytest.raises(DatasetError, match=rule):
        NTPDataset(h, rows, weights, dtype=torch.float32)
    with pytest.raises(DatasetError, match=rule):
        double.to(dtype=torch.float32)


# --- accepted forms -------------------------------------------------------------------------------


def assert_same(a, b):
    assert (a.num_contexts, a.vocab_size, a.dim) == (b.num_contexts, b.vocab_size, b.dim)
    assert (a.token_names, a.context_names) == (b.token_names, b.context_names)
    assert torch.equal(a.pattern.contexts, b.pattern.contexts)
    assert torch.equal(a.pattern.tokens, b.pattern.tokens)
    for name in ("embeddings", "weights", "conditionals"):
        x, y = getattr(a, name), getattr(b, name)
        assert x.dtype == y.dtype and torch.equal(x, y), name
    assert (a.counts is None) == (b.counts is None)
    assert a.counts is None or torch.equal(a.counts, b.counts)


FORMS = {
    "list": P.tolist(),
    "Fractions": [[Fraction(1, 2), Fraction(1, 2), 0], [0, Fraction(1, 4), Fraction(3, 4)]],
    "object array": P.astype(object),
    "float32": P.astype(np.float32),
    "float16": P.astype(np.float16),
    "Fortran order": np.asfortranarray(P),
    "strided": np.repeat(P, 2, axis=1)[:, ::2],
    "rows of tensors": list(torch.tensor(P)),
    "tensor": torch.tensor(P),
    "bfloat16 tensor": torch.tensor(P, dtype=torch.bfloat16),
    "tensor with gradient": torch.tensor(P, requires_grad=True),
    "strided tensor": torch.tensor(P).T.contiguous().T,
    "sparse tensor": torch.tensor(P).to_sparse(),
    "sparse tensor with gradient": torch.tensor(P, requires_grad=True).to_sparse(),
    "uncoalesced tensor": torch_coo([0.25, 0.25, 0.5, 0.25, 0.75, 0.0], [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 0]),
    "stored zeros and duplicates": sparse([0.25, 0.25, 0.5, 0.25, 0.75, 0.0], [0, 0, 0, 1, 1, 1], [0, 0, 1, 1, 2, 0]),
    "unsorted CSR": scipy.sparse.csr_array(
        (np.array([0.5, 0.25, 0.25, 0.75, 0.25]), np.array([1, 0, 0, 2, 1]), np.array([0, 3, 5])), (2, 3)
    ),
    **{
        f"{layout}_{kind}": getattr(scipy.sparse, f"{layout}_{kind}")(P)
        for layout in ("coo", "csr", "csc", "lil", "dok", "bsr", "dia")
        for kind in ("array", "matrix")
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_a_matrix_gives_the_same_dataset(form):
    rows = FORMS[form]
    before = copy.deepcopy(rows) if not isinstance(rows, torch.Tensor) else rows.detach().clone()
    data = NTPDataset(H, rows)
    assert_same(data, NTPDataset(H, P))
    assert not data.conditionals.requires_grad
    if scipy.sparse.issparse(rows):
        assert (rows != before).nnz == 0 and rows.nnz == before.nnz, "the input was changed"


@pytest.mark.parametrize("layout", ["to_sparse_csr", "to_sparse_csc"])
def test_compressed_sparse_tensors(layout):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", SPARSE_WARNING)
        rows = getattr(torch.tensor(P), layout)()
    assert_same(NTPDataset(H, rows), NTPDataset(H, P))


@pytest.mark.parametrize(
    "h",
    [
        H.tolist(),
        H.astype(np.float32),
        H.astype(bool),
        torch.eye(2, requires_grad=True),
        torch.eye(2, dtype=torch.bfloat16),
        torch.eye(4, dtype=torch.float64)[::2, ::2].T,
        [torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])],
    ],
)
def test_every_form_of_embeddings(h):
    assert_same(NTPDataset(h, P), NTPDataset(H, P))


@pytest.mark.parametrize(
    "counts",
    [
        COUNTS.tolist(),
        COUNTS.astype(np.uint8),
        COUNTS.astype(float),
        torch.tensor(COUNTS),
        torch.tensor(COUNTS, dtype=torch.int32),
        torch.tensor(COUNTS).to_sparse(),
        scipy.sparse.csr_array(COUNTS),
        scipy.sparse.csc_matrix(COUNTS),
        sparse(np.array([1, 2, 1, 4], dtype=np.int8), [0, 0, 0, 1], [0, 0, 1, 2]),
    ],
)
def test_every_form_of_counts(counts):
    data = NTPDataset.from_counts(H, counts)
    assert_same(data, NTPDataset.from_counts(H, COUNTS))
    assert data.counts.tolist() == [3, 1, 4] and data.counts.dtype == torch.int64


def test_duplicates_of_small_integers_do_not_wrap_around():
    ones, rows, columns = [200, 200, 3], [0, 0, 1], [0, 0, 1]
    for counts in (
        sparse(np.array(ones, dtype=np.uint8), rows, columns),
        torch_coo(torch.tensor(ones, dtype=torch.uint8), rows, columns),
    ):
        assert NTPDataset.from_counts(H, counts).counts.tolist() == [400, 3]
    twice = sparse(np.array([True, True, True]), rows, columns)
    assert NTPDataset.from_counts(H, twice).counts.tolist() == [2, 1]


def test_the_largest_counts_are_kept_exactly():
    big = 2**53 - 1
    data = NTPDataset.from_counts(H, np.array([[big, 1, 0], [0, 0, big]]))
    assert data.counts.tolist() == [big, 1, big]


def test_names_become_plain_strings_and_appear_in_answers():
    data = NTPDataset(H, P, token_names=np.array(["a", "b", "c"]), context_names=("x", "y"))
    assert data.token_names == ("a", "b", "c") and all(type(name) is str for name in data.token_names)
    assert (data.token_name(1), data.context_name(0)) == ("'b'", "'x'")
    plain = NTPDataset(H, P)
    assert (plain.token_name(1), plain.context_name(0)) == ("#1", "#0")


def test_the_dataset_does_not_share_memory_with_its_input():
    h, rows, weights = torch.eye(2, dtype=torch.float64), scipy.sparse.csr_array(P), np.array([0.5, 0.5])
    data = NTPDataset(h, rows, weights)
    h.zero_()
    rows.data[:] = 0
    weights[:] = 0
    assert_same(data, NTPDataset(H, P))


def test_single_precision_rows_are_renormalised_within_their_own_rounding():
    rows = np.array([[1 / 3, 2 / 3], [0.1, 0.9]], dtype=np.float32)
    for given_rows in (rows, list(rows), torch.tensor(rows), torch.tensor(rows).to_sparse()):
        data = NTPDataset(H, given_rows)
        assert data.conditionals.dtype == torch.float64
        sums = data.pattern.sum(data.conditionals)
        # two quotients and one addition, each rounded
        assert (sums - 1).abs().max() <= 2**-52


def test_single_token_single_context():
    data = NTPDataset([[2.0]], [[1.0]])
    assert (data.num_contexts, data.vocab_size, data.dim, data.entropy) == (1, 1, 1, 0.0)
    assert data.pattern.num_off_support == 0


# --- meaning --------------------------------------------------------------------------------------


@st.composite
def count_matrices(draw, largest=1000):
    m, v = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    row = st.lists(st.one_of(st.just(0), st.integers(1, largest)), min_size=v, max_size=v).filter(any)
    return np.array(draw(st.lists(row, min_size=m, max_size=m)))


def embeddings(m, d=3, seed=0):
    return np.random.default_rng(seed).normal(size=(m, d))


@given(count_matrices())
def test_counts_mean_what_they_say(counts):
    """n pi_j p_jz is the count, and H of `bias/entropy-floor` is that of the raw (context, token) pairs."""
    data = NTPDataset.from_counts(embeddings(len(counts)), counts)
    assert np.array_equal(data.support.numpy(), counts > 0)
    assert np.array_equal(data.counts.numpy(), counts[counts > 0])
    n = int(counts.sum())
    # pi, p and their product are rounded once each
    exact = torch.tensor(counts[counts > 0] / n)
    torch.testing.assert_close(data.joint, exact, rtol=4 * 2**-52, atol=0)
    floor = -sum(Fraction(int(c), n) * Fraction(math.log(c / row.sum())) for row in counts for c in row if c)
    # one logarithm, two products and a sum of at most 30 terms, none above max log = 7
    assert abs(data.entropy - float(floor)) <= 40 * 7 * 2**-52
    assert data.entropy >= 0.0
    dense = np.zeros(counts.shape)
    dense[counts > 0] = data.conditionals.numpy()
    assert np.array_equal(data.probabilities.to_dense().numpy(), dense)
    assert data.probabilities.is_coalesced()
    from_rows = NTPDataset(data.embeddings, data.probabilities, data.weights)
    for name in ("weights", "conditionals"):
        assert torch.equal(getattr(from_rows, name), getattr(data, name))


@given(count_matrices(), st.integers(0, 5))
def test_rows_that_sum_to_one_are_kept_bit_for_bit(counts, seed):
    data = NTPDataset.from_counts(embeddings(len(counts)), counts)
    again = NTPDataset(data.embeddings, data.probabilities, data.weights)
    assert torch.equal(again.conditionals, data.conditionals) and torch.equal(again.weights, data.weights)
    loose = np.random.default_rng(seed).uniform(0.5, 1.0, counts.shape) * (counts > 0)
    loose /= loose.sum(1, keepdims=True) * (1 + 1e-10)
    once = NTPDataset(data.embeddings, loose)
    twice = NTPDataset(data.embeddings, once.probabilities, once.weights)
    assert torch.equal(once.conditionals, twice.conditionals)


def test_entropy_by_hand():
    data = NTPDataset(H, P, [0.75, 0.25])
    expected = 0.75 * math.log(2) + 0.25 * (0.25 * math.log(4) + 0.75 * math.log(4 / 3))
    assert data.entropy == pytest.approx(expected, rel=1e-15)
    assert "entropy floor" in data.summary() and "2 contexts, 3 tokens" in data.summary()
    assert repr(data).startswith("NTPDataset(num_contexts=2, vocab_size=3, dim=2, entropy=")


# --- copies and files -----------------------------------------------------------------------------


def test_to_moves_everything_and_leaves_the_original():
    data = NTPDataset.from_counts(H, COUNTS, token_names=["a", "b", "c"])
    single = data.to(dtype=torch.float32, device="cpu")
    for name in ("embeddings", "weights", "conditionals"):
        assert getattr(single, name).dtype == torch.float32 and getattr(data, name).dtype == torch.float64
    assert single.counts.tolist() == data.counts.tolist() and single.token_names == data.token_names
    assert single.entropy == pytest.approx(data.entropy, rel=1e-6)
    assert_same(data.to(), data)


def round_trip(data):
    with tempfile.TemporaryDirectory() as folder:
        return NTPDataset.load(data.save(Path(folder) / "data.npz"))


@given(count_matrices(), st.sampled_from([torch.float64, torch.float32]), st.booleans(), st.integers(0, 9))
def test_save_and_load_is_bit_exact(counts, dtype, keep_counts, seed):
    h = embeddings(len(counts), seed=seed)
    names = {
        "token_names": [f"é{v}\n" for v in range(counts.shape[1])],
        "context_names": [f"c{j}" for j in range(len(counts))],
    }
    if keep_counts:
        data = NTPDataset.from_counts(h, counts, dtype=dtype, **names)
    else:
        random = np.random.default_rng(seed)
        rows = random.uniform(0.1, 1.0, counts.shape) * (counts > 0)
        weights = random.uniform(0.1, 1.0, len(counts))
        rows, weights = rows / rows.sum(1, keepdims=True), weights / weights.sum()
        data = NTPDataset(h, rows, weights, dtype=dtype, **(names if seed % 2 else {}))
    assert_same(round_trip(data), data)


def test_a_rounded_copy_is_loaded_as_it_was_saved():
    random = np.random.default_rng(3)
    rows = random.dirichlet(np.ones(7), size=5)
    data = NTPDataset(embeddings(5), rows, random.dirichlet(np.ones(5))).to(dtype=torch.float32)
    assert_same(round_trip(data), data)


def test_pickle_and_deepcopy():
    data = NTPDataset.from_counts(H, COUNTS)
    assert_same(pickle.loads(pickle.dumps(data)), data)
    assert_same(copy.deepcopy(data), data)


@pytest.fixture
def saved(tmp_path):
    return NTPDataset(H, P, token_names=["a", "b", "c"]).save(tmp_path / "data.npz")


def damage(path, **changes):
    arrays, meta = runs.load_arrays(path, "dataset")
    for name, change in changes.items():
        target = arrays if name in {*arrays, "counts"} else meta
        if change is None:
            del target[name]
        else:
            target[name] = change
    runs.save_arrays(path, "dataset", arrays, meta)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *[(name, None) for name in ("embeddings", "weights", "contexts", "tokens", "conditionals")],
        *[(name, None) for name in ("vocab_size", "token_names")],
        *[(name, np.array("x")) for name in ("embeddings", "weights", "contexts", "tokens", "conditionals")],
        *[(name, np.array(3)) for name in ("embeddings", "weights", "contexts", "tokens", "conditionals")],
        *[(name, np.arange(3)) for name in ("contexts", "tokens", "conditionals", "weights")],
        *[(name, np.ones(4, dtype=complex)) for name in ("contexts", "tokens", "conditionals", "weights")],
        ("embeddings", H[:1]),
        ("embeddings", H.astype(np.int64)),
        ("embeddings", H.astype(np.float16)),
        ("embeddings", H * NAN),
        ("embeddings", H * 1j),
        ("contexts", np.array([0, 0, 1, 2])),
        ("contexts", np.array([0, 0, 1, -1])),
        ("contexts", np.array([0.0, 0.0, 1.0, 1.0])),
        ("tokens", np.array([0, 1, 1, 3])),
        ("tokens", np.array([0, 1, 1, -1])),
        ("tokens", np.array([False, True, True, True])),
        ("conditionals", np.array([0.5, 0.5, 0.25, -0.75])),
        ("conditionals", np.array([0.5, 0.5, 0.25, 0.5])),
        ("counts", np.array([1, 2, 3])),
        ("counts", np.array([1, 2, 3, -4])),
        ("counts", np.array([1.0, 2.0, 3.0, NAN])),
        ("vocab_size", 2),
        ("vocab_size", -1),
        ("vocab_size", 10**30),
        ("vocab_size", "many"),
        ("vocab_size", NAN),
        ("vocab_size", INF),
        ("token_names", 3),
        ("token_names", ["a"]),
        ("token_names", [["a"], ["b"], ["c"]]),
    ],
)
def test_files_with_other_content_are_refused(saved, name, change):
    damage(saved, **{name: change})
    with pytest.raises((CheckpointError, DatasetError, UsageError)):
        NTPDataset.load(saved)


def test_the_damage_is_named(saved):
    damage(saved, tokens=None)
    with pytest.raises(CheckpointError, match="saved dataset is incomplete or damaged .*'tokens'"):
        NTPDataset.load(saved)


def test_truncated_and_foreign_files(saved, tmp_path):
    whole = saved.read_bytes()
    for end in range(0, len(whole), 101):
        saved.write_bytes(whole[:end])
        with pytest.raises(CheckpointError):
            NTPDataset.load(saved)
    other = runs.save_arrays(tmp_path / "run.npz", "trajectory", {}, {})
    with pytest.raises(CheckpointError, match="holds a trajectory, expected a dataset"):
        NTPDataset.load(other)
    buffer = io.BytesIO()
    np.savez(buffer, embeddings=np.array([object()], dtype=object))
    saved.write_bytes(buffer.getvalue())
    with pytest.raises(CheckpointError):
        NTPDataset.load(saved)


# --- memory ---------------------------------------------------------------------------------------


def sparse_case(library, m, v, size):
    random = np.random.default_rng(0)
    contexts, tokens = np.repeat(np.arange(m), size), random.integers(0, v, m * size)
    values, shape = np.full(m * size, 1 / size), (m, v)
    make = sparse if library == "scipy" else torch_coo
    return random.normal(size=(m, 4)), make(values, contexts, tokens, shape)


@pytest.mark.parametrize("library", ["scipy", "torch"])
def test_memory_goes_with_the_entries_not_with_the_matrix(library, tmp_path):
    """1000 x 50000 doubles would be 400 MB; here are 10^4 entries, some hundred bytes each at most."""
    h, rows = sparse_case(library, 1000, 50_000, 10)
    tracemalloc.start()  # sees Python and numpy
    try:
        data = NTPDataset(h, rows)
        loaded = NTPDataset.load(data.save(tmp_path / "data.npz"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 20e6
    assert_same(loaded, data)
    kept = [data.embeddings, data.weights, data.conditionals, data.pattern.contexts, data.pattern.tokens]
    assert sum(t.untyped_storage().nbytes() for t in kept) < 1e6
    assert data.joint.shape == data.log_conditionals.shape == data.conditionals.shape


@pytest.mark.parametrize("library", ["scipy", "torch"])
def test_a_matrix_whose_dense_form_fits_nowhere(library, tmp_path):
    """1000 x 2*10^9 doubles are 16 TB: any step that forms them fails."""
    h, rows = sparse_case(library, 1000, 2_000_000_000, 10)
    data = NTPDataset(h, rows)
    assert_same(NTPDataset.load(data.save(tmp_path / "data.npz")), data)
    assert_same(data.to(dtype=torch.float64), data)
    assert data.vocab_size == 2_000_000_000 and len(data.conditionals) == 10_000
    assert data.entropy == pytest.approx(math.log(10), rel=1e-12)
    assert "2000000000 tokens" in data.summary()
