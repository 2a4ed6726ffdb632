"""Contexts shared out among processes: the same losses, gradients and runs as in one."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import pickle
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist

import ntp_theory as ntp
from ntp_theory import construct, loss, runs
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import METHODS, GradientDescent, Trajectory, checkpoint, descend, smoothness_bound
from ntp_theory.descent.gradients.residual import gradient_entries
from ntp_theory.distributed import join_contexts, shard_contexts
from ntp_theory.errors import CheckpointError, UsageError

pytestmark = pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="no gloo")

SIZE = 3
STEPS = 30
SEVERAL = construct.random(7, 6, 6, (1, 3), rng=0)  # next tokens
ONE = construct.random(7, 6, 6, 1, rng=0)
COUNTED = construct.from_text("a b a c a b d a b c b a d", context_length=1, dim=5, rng=0)
START = torch.from_numpy(np.random.default_rng(1).standard_normal((7, 6)))
# methods that do nothing but sum over contexts; others may refuse a shard
SUMS = {"gd", "line-search", "growing", "ngd", "momentum", "nesterov"}


@dataclasses.dataclass(frozen=True)
class Alone:
    """A method of a user's own that forgets the other processes."""

    name = "alone"

    def init(self, data, weights):
        own = NTPDataset(data.embeddings, torch.eye(7, dtype=torch.float64)[: data.num_contexts])
        return GradientDescent(0.1).init(own, weights)

    def step(self, state):
        return GradientDescent(0.1).step(state)


def decoders():
    """From zero to tails of 1e-300, and beyond the smallest double."""
    lift = torch.linalg.pinv(SEVERAL.embeddings) @ SEVERAL.support.double()
    return [gap * lift.T + scale * START for gap in (0.0, 1.0, 690.0, 5000.0) for scale in (0.0, 1e-3, 1.0)]


def curve(run):
    names = ("times", "weights", "in_support", "tail", "log_tail", "log_elapsed")
    return [getattr(run, name).numpy() for name in names]


def outcome(function, *arguments, **options):
    """What a call returns, or what it refuses with."""
    try:
        return function(*arguments, **options)
    except (UsageError, CheckpointError) as error:
        return str(error)


# --- what each process does; the results go to files ----------------------------------------------


def methods_of_two(rank, group, folder):
    shards = [shard_contexts(data, group) for data in (SEVERAL, ONE)]
    return {
        (name, i): outcome(lambda data, name: curve(descend(data, name, steps=STEPS)), shard, name)
        for name in METHODS
        for i, shard in enumerate(shards)
    }


def functions(rank, group, folder):
    shard = shard_contexts(SEVERAL, group)
    found = []
    for weights in decoders():
        parts, scaled = loss.gradient_parts(weights, shard), gradient_entries(weights, shard)
        found.append(
            (
                dataclasses.astuple(loss.evaluate(weights, shard)),
                loss.gradient(weights, shard).numpy(),
                (parts.in_support.numpy(), parts.tail.numpy(), parts.log_scale),
                (scaled.rows.numpy(), scaled.log_scale.numpy()),
            )
        )
    return found, smoothness_bound(shard), shard.entropy, shard.to(dtype=torch.float32).entropy


def the_same_twice(rank, group, folder):
    shard = shard_contexts(SEVERAL, group)
    return [curve(descend(shard, steps=STEPS, init=START, record="all")) for _ in range(2)]


def resumed(rank, group, folder):
    shard, path = shard_contexts(SEVERAL, group), folder / "run.npz"
    for steps in (STEPS // 3, STEPS):
        run = descend(shard, steps=steps, checkpoint=path)
    run.save(folder / "trajectory.npz")
    return curve(run), curve(descend(shard, steps=STEPS))


def ended_by_one(rank, group, folder):
    shard = shard_contexts(SEVERAL, group)
    callback = (lambda record: record.step == 5) if rank == 1 else None
    return descend(shard, steps=20, record="all", callback=callback).times.tolist()


def together_again(rank, group, folder):
    named = NTPDataset(
        SEVERAL.embeddings,
        SEVERAL.probabilities,
        np.arange(1, 7) / 21,
        token_names=list("abcdefg"),
        context_names=list("uvwxyz"),
    )
    shards = [shard_contexts(data, group) for data in (named, COUNTED)]
    for i, shard in enumerate(shards):
        shard.save(folder / f"{i}.npz")
    return [shard.whole()._pack() for shard in shards], [shard.num_contexts for shard in shards], repr(shards[0])


def joined(rank, group, folder):
    part = construct.random(7, 6, 2 + rank, 2, rng=rank)
    share = [0.5, 0.2, 0.3][rank]
    shard = join_contexts(part, share, group)
    wrong = [
        outcome(join_contexts, part, 0.5, group),
        outcome(join_contexts, construct.random(7 + rank, 6, 2, 2, rng=rank), share, group),
    ]
    return shard.whole()._pack()[0], curve(descend(shard, steps=STEPS)), wrong


def refusals(rank, group, folder):
    shard = shard_contexts(SEVERAL, group)
    (folder / f"{rank}.txt").touch()
    return [
        outcome(shard_contexts, construct.random(3, 2, 2, 1, rng=0), group),
        outcome(shard_contexts, construct.random(3, 2, 5, 1, rng=rank), group),
        outcome(descend, shard, steps=3, init=START * (rank + 1)),
        outcome(loss.evaluate, torch.full_like(START, 1e308), shard),
        outcome(descend, shard, GradientDescent(0.1 * (1 + rank)), steps=3),
        outcome(descend, shard, Alone(), steps=3),
        outcome(join_contexts, ONE if rank == 1 else SEVERAL, ["0.2", 0.5, None][rank], group),
        outcome(join_contexts, None if rank == 1 else SEVERAL, 1 / 3, group),
        outcome(shard_contexts, 3 if rank == 2 else SEVERAL, group),
        outcome(descend, shard, steps=3, init=START[:2] if rank == 1 else START),
        outcome(descend, shard, steps=3, init=START if rank else None, callback=4 if rank == 0 else None),
        outcome(descend, shard, steps=3, init=1e160 * START if rank == 1 else START),
        outcome(descend, shard, steps=-1 if rank == 2 else 3),
        outcome(descend, shard, steps=3, checkpoint=folder / "none" if rank else folder / f"{rank}.txt" / "none"),
        *(
            outcome(function, shard)
            for function in (ntp.check_separability, ntp.check_compatibility, ntp.extended_support)
        ),
        *(outcome(function, shard) for function in (ntp.solve_svm, ntp.predict)),
        outcome(ntp.subspace.project, START, shard),
        outcome(lambda: shard.support),
    ]


CASES = [the_same_twice, resumed, ended_by_one, together_again, joined, refusals]


def work(rank, folder):
    torch.set_num_threads(1)
    timeout = timedelta(seconds=60)
    dist.init_process_group("gloo", f"file://{folder}/store", timeout, world_size=SIZE, rank=rank)
    two = dist.new_group([0, 1])
    cases = [(case, None) for case in CASES]
    if rank < 2:
        cases += [(methods_of_two, two), (functions, two)]
    for case, group in cases:
        (folder / case.__name__).mkdir(exist_ok=True)
        found = case(rank, group, folder / case.__name__)
        (folder / case.__name__ / f"{rank}.pickle").write_bytes(pickle.dumps(found))
    stranger = outcome(shard_contexts, SEVERAL, two) if rank == 2 else None
    (folder / f"{rank}.pickle").write_bytes(pickle.dumps(stranger))
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """By case, what each process found."""
    folder = tmp_path_factory.mktemp("ranks")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    children = [context.Process(target=work, args=(rank, folder)) for rank in range(SIZE)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0] * SIZE

    def read(case):
        files = [folder / getattr(case, "__name__", "") / f"{rank}.pickle" for rank in range(SIZE)]
        return [pickle.loads(file.read_bytes()) for file in files if file.exists()]

    read.folder = folder
    return read


def assert_same_bits(a, b):
    assert all(np.array_equal(x, y, equal_nan=True) for x, y in zip(a, b, strict=True))


def assert_close(found, expected):
    """Arrays or numbers agree, each to 1e-12 of its largest entry: only sums over 6 contexts are in another order."""
    for a, b in zip(found, expected, strict=True):
        a, b = np.asarray(a), np.asarray(b)
        finite = np.isfinite(b)
        assert np.array_equal(a[~finite], b[~finite])
        scale = np.abs(b[finite]).max(initial=0.0)
        assert np.abs(a[finite] - b[finite]).max(initial=0.0) <= 1e-12 * scale


@pytest.mark.parametrize("name", list(METHODS))
def test_two_processes_take_the_steps_of_one(name, found):
    both = found(methods_of_two)
    for i, data in enumerate((SEVERAL, ONE)):
        ranks = [rank[name, i] for rank in both]
        expected = outcome(lambda data: curve(descend(data, name, steps=STEPS)), data)
        if isinstance(expected, str):  # by each process of its own contexts
            assert [message.split(",")[0] for message in ranks] == [expected.split(",")[0]] * 2
        elif isinstance(ranks[0], str):
            assert name not in SUMS and all("data.whole()" in message for message in ranks)
        else:
            assert_same_bits(*ranks)
            assert_close(ranks[0], expected)


def test_losses_and_gradients(found):
    first, second = found(functions)
    values, bound, entropy, single = first
    assert bound == second[1] and entropy == second[2]
    assert bound == pytest.approx(smoothness_bound(SEVERAL), rel=1e-14)
    assert entropy == pytest.approx(SEVERAL.entropy, rel=1e-14) and single == pytest.approx(entropy, rel=1e-6)
    for weights, (parts, gradient, (inside, tail, log_scale), (rows, scales)) in zip(decoders(), values, strict=True):
        assert_close(parts, dataclasses.astuple(loss.evaluate(weights, SEVERAL)))
        split, scaled = loss.gradient_parts(weights, SEVERAL), gradient_entries(weights, SEVERAL)
        assert_close([gradient, inside, tail], [loss.gradient(weights, SEVERAL), split.in_support, split.tail])
        assert_close([log_scale, scales, *rows], [split.log_scale, scaled.log_scale, *scaled.rows])


def test_the_same_bits_every_time_and_everywhere(found):
    runs_of = found(the_same_twice)
    for rank in runs_of:
        for curves in rank:
            assert_same_bits(curves, runs_of[0][0])


def test_a_resumed_run(found):
    ranks = found(resumed)
    for part, whole in ranks:
        assert_same_bits(part, whole)
        assert_same_bits(part, ranks[0][0])
    folder = found.folder / "resumed"
    _, meta = runs.load_arrays(folder / "run.npz", checkpoint.KIND)
    assert meta["identity"]["device"] == "cpu, 3 processes"
    with pytest.raises(ntp.errors.CheckpointError, match="device is cpu, 3 processes there and cpu here"):
        descend(SEVERAL, steps=STEPS, checkpoint=folder / "run.npz")
    saved = Trajectory.load(folder / "trajectory.npz")
    assert_same_bits(curve(saved), ranks[0][0])
    assert torch.equal(saved.data.embeddings, SEVERAL.embeddings)


def test_one_process_ends_the_run_for_all(found):
    assert found(ended_by_one) == [[0, 1, 2, 3, 4, 5]] * SIZE


def test_the_whole_dataset_is_what_it_was(found):
    for (named, counted), held, text in found(together_again):
        assert named[1]["context_names"] == tuple("uvwxyz") and named[1]["token_names"] == tuple("abcdefg")
        arrays, meta = COUNTED._pack()
        assert counted[1] == meta and counted[0].keys() == arrays.keys()
        assert_same_bits(counted[0].values(), arrays.values())
        assert held[0] == 2 and "num_contexts=2 here" in text
    folder = found.folder / "together_again"
    assert NTPDataset.load(folder / "0.npz").weights.tolist() == pytest.approx([k / 21 for k in range(1, 7)], rel=1e-15)
    assert torch.equal(NTPDataset.load(folder / "1.npz").counts, COUNTED.counts)


def test_parts_that_no_process_holds_together(found):
    parts = [construct.random(7, 6, 2 + rank, 2, rng=rank) for rank in range(SIZE)]
    weights = torch.cat([share * part.weights for share, part in zip((0.5, 0.2, 0.3), parts, strict=True)])
    whole = NTPDataset(
        torch.cat([part.embeddings for part in parts]),
        torch.cat([part.probabilities.to_dense() for part in parts]),
        weights,
    )
    expected = curve(descend(whole, steps=STEPS))
    for arrays, curves, (shares, shapes) in found(joined):
        assert_close([arrays["weights"], *curves], [weights, *expected])
        assert_same_bits([arrays["embeddings"], arrays["contexts"]], [whole.embeddings, whole.pattern.contexts])
        assert shares.startswith("share is [0.5, 0.5, 0.5] on the processes; shares must be positive and sum to 1")
        assert "differs between the processes in (V, d, dtype) = (7, 6, torch.float64), (8, 6," in shapes


def test_what_is_refused(found):
    for rank, (few, differ, init, big, sizes, alone, *rest) in enumerate(found(refusals)):
        one_alone, whole = rest[:8], rest[8:]
        expected = [
            ([0, 2], "share is .*; it must be a positive finite number"),
            ([1], "part is None; it must be an NTPDataset"),
            ([2], "data is 3; it must be an NTPDataset"),
            ([1], r"init has shape \(2, 6\), expected"),
            ([0], "callback is 4; it must be a function"),
            ([1], "init has a norm beyond the largest number"),
            ([2], "steps is -1; it must be a whole number >= 0"),
            ([0], ".*none: cannot be written"),
        ]
        for message, (at, rule) in zip(one_alone, expected, strict=True):
            assert re.match(rule if rank in at else f"on process {at[0]}: {rule}", message), message
        assert few == "data has 2 contexts for 3 processes; each must hold one"
        assert differ == "data differs between the processes; every one must pass the same"
        assert init.startswith("method, step_size, steps, init or record differ between the processes")
        assert big.startswith("weights gives logits beyond the largest number")
        assert sizes.startswith("method, step_size, steps, init or record differ between the processes")
        assert alone.startswith("decoders differ between the processes at step 1: method 'alone' does not work")
        assert all(message.startswith("data is a shard") for message in whole), whole
    assert found(None)[2] == "group does not contain this process; only its members may call this"


def test_without_a_group():
    with pytest.raises(UsageError, match="no process group is initialised; start the script with torchrun"):
        shard_contexts(SEVERAL)


def test_the_script_of_the_page_under_torchrun(tmp_path):
    root = Path(ntp.__file__).parents[1]
    page = (root / "docs" / "scaling.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"^```python\n(# train.py\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "train.py").write_text(script)
    SEVERAL.save(tmp_path / "data.npz")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2", "train.py"]
    subprocess.run(command, cwd=tmp_path, check=True, env=os.environ | {"PYTHONPATH": str(root)})
    run = Trajectory.load(tmp_path / "trajectory.npz")
    assert_close(curve(run), curve(descend(SEVERAL, steps=50)))
