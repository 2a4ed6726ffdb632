"""Two processes that share each batch make the run of one."""

from __future__ import annotations

import datetime
import multiprocessing
import os
import time

import numpy as np
import pytest
import torch
import torch.distributed as dist

from ntp_theory.errors import CheckpointError, NTPError, UsageError
from ntp_theory.sequence.tasks import PathStar
from ntp_theory.sequence.training import (
    MaskedTeacherForcing,
    Myopic,
    Settings,
    Teacherless,
    WholeSequenceReversed,
    train,
)
from tests.sequence.training.tiny import SETTINGS, TASK, mamba, transformer

pytestmark = pytest.mark.skipif(not (dist.is_available() and dist.is_gloo_available()), reason="no gloo")

SIZE = 2
PAPER = PathStar(2, 3, 5, encoding="paper")
RUNS = {
    "masked": (lambda: transformer().double(), TASK, MaskedTeacherForcing()),
    "myopic": (lambda: transformer().double(), TASK, Myopic(MaskedTeacherForcing(), beta=0.5)),
    "single precision": (transformer, TASK, Teacherless()),
    "mamba": (lambda: mamba().double(), TASK, Teacherless()),
    "both directions": (lambda: transformer(PAPER).double(), PAPER, WholeSequenceReversed()),
}


def one_run(name, rank=0, **options):
    make, task, objective = RUNS[name]
    model = make()
    if rank:
        with torch.no_grad():
            model.head.weight.zero_()  # all begin with the weights of process 0
    found = train(model, task, objective, steps=6, settings=SETTINGS, evaluate_every=3, evaluate_count=50, **options)
    return found, {key: value.numpy() for key, value in model.state_dict().items()}


def refusal(call):
    try:
        call()
    except NTPError as error:
        return type(error), str(error)
    return None


def work(rank, folder):
    torch.set_num_threads(1)
    wait = datetime.timedelta(seconds=120)
    dist.init_process_group("gloo", f"file://{folder}/store", wait, world_size=SIZE, rank=rank)
    results = {}
    for name in RUNS:
        found, weights = one_run(name, rank, checkpoint=folder / f"{name}.npz")
        results[name] = found.losses, [vars(e) for e in found.evaluations], weights
    # one that does not see the checkpoint
    path = folder / ("masked.npz" if rank else "elsewhere.npz")
    options = {"steps": 7, "settings": SETTINGS, "evaluate_every": 3, "evaluate_count": 50}
    results["lost"] = refusal(
        lambda: train(RUNS["masked"][0](), TASK, MaskedTeacherForcing(), checkpoint=path, **options)
    )
    results["odd"] = refusal(
        lambda: train(transformer(), TASK, Teacherless(), steps=1, settings=Settings(batch_size=5))
    )
    torch.save(results, folder / f"{rank}.pt")
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """What both processes found."""
    folder = tmp_path_factory.mktemp("processes")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    children = [context.Process(target=work, args=(rank, folder)) for rank in range(SIZE)]
    for child in children:
        child.start()
    while any(child.is_alive() for child in children):
        if any(child.exitcode for child in children):  # one has failed: the other would wait for it
            for child in children:
                child.kill()
        time.sleep(0.01)
    assert [child.exitcode for child in children] == [0] * SIZE
    files = sorted(os.listdir(folder))
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(SIZE)], files


@pytest.mark.parametrize("name", RUNS)
def test_two_processes_are_one(name, found):
    """Sums in another order: losses to 1e-5, as they are kept in single precision; weights to 1e-12 in double.

    Not in single: a bias of keys moves no softmax, its gradient is rounding, and AdamW scales that to a step.
    """
    whole, weights = one_run(name)
    for losses, evaluations, others in (results[name] for results in found[0]):
        assert np.allclose(losses, whole.losses, rtol=0, atol=1e-5)
        for key, value in weights.items():
            assert name == "single precision" or np.abs(value - others[key]).max() < 1e-12, key
        assert [e["step"] for e in evaluations] == [3, 6]


@pytest.mark.parametrize("name", RUNS)
def test_both_have_the_same_weights(name, found):
    """Bit for bit."""
    (_, first, a), (_, second, b) = (results[name] for results in found[0])
    assert str(first) == str(second) and all(np.array_equal(a[key], b[key]) for key in a)


def test_what_is_refused(found):
    for results in found[0]:
        kind, message = results["lost"]
        assert kind is CheckpointError and "processes begin at steps [0, 6]" in message
        kind, message = results["odd"]
        assert kind is UsageError and "batch_size is 5; it must be a multiple of the number of processes, 2" in message


def test_only_one_of_them_writes(found):
    assert [name for name in found[1] if name.endswith(".npz")] == sorted(f"{name}.npz" for name in RUNS)
    assert not any(name.endswith(".part") for name in found[1])
