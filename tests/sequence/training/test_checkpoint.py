"""Runs that are interrupted, by an exception anywhere or by a kill, go on bit for bit; other files are refused."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
import torch

from ntp_theory.errors import CheckpointError
from ntp_theory.runs import load_arrays, save_arrays
from ntp_theory.sequence.training import MaskedTeacherForcing, Settings, TeacherForcing, TrainResult, loop, train
from ntp_theory.sequence.training.checkpoint import KIND
from tests.sequence.training.tiny import SETTINGS, TASK, mamba, same, transformer

OPTIONS = {"settings": SETTINGS, "evaluate_every": 4, "evaluate_count": 20}
OBJECTIVE = MaskedTeacherForcing()


def whole(make=transformer, steps=10, **options):
    model = make()
    return model, train(model, TASK, OBJECTIVE, steps=steps, **OPTIONS | options)


def step_of(path):
    return load_arrays(path, KIND)[1]["step"]


def goes_on(path, make=transformer, steps=10, **options):
    """It ends as a run that was never interrupted, and nothing else is left in the folder."""
    model = make()
    if path.exists():
        for parameter in model.parameters():
            parameter.data.zero_()  # what it begins with does not matter
    resumed = train(model, TASK, OBJECTIVE, steps=steps, checkpoint=path, **OPTIONS | options)
    other, found = whole(make, steps, **options)
    assert same(model, other) and np.array_equal(resumed.losses, found.losses)
    assert resumed.evaluations == found.evaluations
    assert os.listdir(path.parent) == [path.name]


class Stop(Exception):
    pass


@pytest.mark.parametrize("make", [transformer, mamba])
@pytest.mark.parametrize("steps", [1, 4, 7])
def test_a_longer_run(make, steps, tmp_path):
    """A finished run goes on when more steps are asked for; the evaluation at its end is one that a whole run lacks."""
    path = tmp_path / "run.npz"
    model = make()
    train(model, TASK, OBJECTIVE, steps=steps, checkpoint=path, **OPTIONS)
    resumed = train(model, TASK, OBJECTIVE, steps=10, checkpoint=path, **OPTIONS)
    other, found = whole(make)
    assert same(model, other) and np.array_equal(resumed.losses, found.losses)
    assert [e for e in resumed.evaluations if e.step != steps or steps == 4] == list(found.evaluations)


def test_an_exception_in_the_callback(tmp_path):
    path = tmp_path / "run.npz"

    def stop(evaluation):
        raise Stop

    with pytest.raises(Stop):
        train(transformer(), TASK, OBJECTIVE, steps=10, callback=stop, checkpoint=path, **OPTIONS)
    assert step_of(path) == 4
    goes_on(path)


@pytest.mark.parametrize("place", ["gradient", "update", "evaluate"])
@pytest.mark.parametrize("at", [1, 2, 6])
def test_an_exception_anywhere(place, at, tmp_path, monkeypatch):
    """Before, in and after the moment in which weights are changed, or while they are evaluated."""
    path, calls = tmp_path / "run.npz", []
    owner = loop if place == "evaluate" else loop._Run
    original = getattr(owner, place)

    def interrupted(*args, **kwargs):
        calls.append(None)
        result = original(*args, **kwargs)
        if len(calls) == at:
            raise KeyboardInterrupt
        return result

    with monkeypatch.context() as patched:
        patched.setattr(owner, place, interrupted)
        try:
            train(transformer(), TASK, OBJECTIVE, steps=10, checkpoint=path, checkpoint_every=1e-9, **OPTIONS)
        except KeyboardInterrupt:
            pass
        else:
            assert at > len(calls)
    if place == "update" and at == 1:
        assert not path.exists(), "nothing whole to keep"
    goes_on(path)


def endless(path):
    torch.set_num_threads(1)
    train(transformer(), TASK, OBJECTIVE, steps=10**6, checkpoint=path, checkpoint_every=0.01, **OPTIONS)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")
def test_a_killed_process(tmp_path):
    path = tmp_path / "run.npz"
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    child = context.Process(target=endless, args=(path,))
    child.start()
    while not path.exists() or step_of(path) < 5:
        assert child.is_alive()
        time.sleep(0.005)
    child.kill()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    goes_on(path, steps=step_of(path) // 4 * 4 + 6)


def test_a_cosine_is_resumed_but_not_prolonged(tmp_path):
    path = tmp_path / "run.npz"
    settings = Settings(batch_size=16, warmup=2, schedule="cosine")
    with pytest.raises(Stop):

        def stop(evaluation):
            raise Stop

        train(
            transformer(), TASK, OBJECTIVE, steps=10, callback=stop, checkpoint=path, **OPTIONS | {"settings": settings}
        )
    goes_on(path, settings=settings)
    with pytest.raises(CheckpointError, match="holds another run; steps differ"):
        train(transformer(), TASK, OBJECTIVE, steps=20, checkpoint=path, **OPTIONS | {"settings": settings})


def test_a_run_that_reached_its_end_stays_there(tmp_path):
    path = tmp_path / "run.npz"
    first, second = transformer(), transformer()
    found = train(first, TASK, OBJECTIVE, steps=10, until=1e-9, checkpoint=path, **OPTIONS)
    again = train(second, TASK, OBJECTIVE, steps=10, until=1e-9, checkpoint=path, **OPTIONS)
    assert same(first, second) and again.evaluations == found.evaluations
    with pytest.raises(CheckpointError, match=f"is at step {found.steps} already; steps is 1"):
        train(transformer(), TASK, OBJECTIVE, steps=1, checkpoint=path, **OPTIONS)


@pytest.mark.parametrize(
    "name, change",
    [
        ("objective", {"objective": TeacherForcing()}),
        ("objective", {"objective": MaskedTeacherForcing(0.4)}),
        ("settings", {"settings": Settings(batch_size=16)}),
        ("model", {"model": mamba()}),
        ("model", {"model": transformer(seed=1)}),
        ("rng", {"rng": 1}),
        ("examples", {"examples": TASK.sample(32, split="train")}),
    ],
)
def test_another_run_is_refused(name, change, tmp_path):
    path = tmp_path / "run.npz"
    arguments = {"model": transformer(), "task": TASK, "objective": OBJECTIVE, "checkpoint": path} | OPTIONS
    train(steps=1, **arguments)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=f"holds another run; {name} differ"):
        train(steps=2, **arguments | change)
    assert path.read_bytes() == before


def test_other_examples_are_another_run(tmp_path):
    path = tmp_path / "run.npz"
    train(transformer(), TASK, OBJECTIVE, steps=1, examples=TASK.sample(32, split="train"), checkpoint=path, **OPTIONS)
    with pytest.raises(CheckpointError, match="holds another run; examples differ"):
        other = TASK.sample(32, rng=1, split="train")
        train(transformer(), TASK, OBJECTIVE, steps=2, examples=other, checkpoint=path, **OPTIONS)


def test_damaged_files(tmp_path):
    path = tmp_path / "run.npz"
    train(transformer(), TASK, OBJECTIVE, steps=2, checkpoint=path, **OPTIONS)
    good, (arrays, meta) = path.read_bytes(), load_arrays(path, KIND)

    def refused(message):
        with pytest.raises(CheckpointError, match=message):
            train(transformer(), TASK, OBJECTIVE, steps=3, checkpoint=path, **OPTIONS)

    path.write_bytes(good[: len(good) // 2])
    refused("not a file of this library, or damaged")
    save_arrays(path, "something else", arrays, meta)
    refused("holds a something else")
    save_arrays(path, KIND, {k: v for k, v in arrays.items() if k != "model head.weight"}, meta)
    refused("not the checkpoint of such a model")
    save_arrays(path, KIND, arrays | {"model head.weight": np.zeros((2, 2), dtype=np.float32)}, meta)
    refused("not the checkpoint of such a model")
    save_arrays(path, KIND, arrays | {"losses": arrays["losses"][:1]}, meta)
    refused("has the losses of 1 steps, not of 2")
    for other in ({k: v for k, v in meta.items() if k != "step"}, meta | {"run": "mine"}, meta | {"evaluations": [3]}):
        save_arrays(path, KIND, arrays, other)
        refused("not the checkpoint of such a model")


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_other_precisions(dtype, tmp_path):
    path = tmp_path / "run.npz"
    models = [transformer().to(dtype) for _ in range(2)]
    train(models[0], TASK, OBJECTIVE, steps=3, checkpoint=path, **OPTIONS)
    resumed = train(models[0], TASK, OBJECTIVE, steps=6, checkpoint=path, **OPTIONS)
    found = train(models[1], TASK, OBJECTIVE, steps=6, **OPTIONS)
    assert same(*models) and np.array_equal(resumed.losses, found.losses)
    assert {value.dtype for value in models[0].state_dict().values()} == {dtype}


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_another_precision_is_another_run(dtype, tmp_path):
    """Weights of float64 would be rounded without a word, and those of bfloat16 go on as if they were exact."""
    path = tmp_path / "run.npz"
    train(transformer().to(dtype), TASK, OBJECTIVE, steps=1, checkpoint=path, **OPTIONS)
    with pytest.raises(CheckpointError, match="holds another run; weights differ"):
        train(transformer(), TASK, OBJECTIVE, steps=2, checkpoint=path, **OPTIONS)


def test_results(tmp_path):
    """Saved and loaded; what is no result is refused."""
    _, found = whole(steps=5)
    path = found.save(tmp_path / "result.npz")
    again = TrainResult.load(path)
    assert np.array_equal(again.losses, found.losses)
    for name in ("objective", "task", "batch_size", "evaluations", "seconds", "free", "steps", "examples"):
        assert getattr(again, name) == getattr(found, name)
    assert again.summary() == found.summary() and "5 steps of 16, 80 examples" in found.summary()
    arrays, meta = load_arrays(path, "training result")
    lacking = {k: v for k, v in meta.items() if k != "task"}
    for broken in ({}, meta | {"more": 1}, lacking, meta | {"evaluations": [3]}, meta | {"evaluations": []}):
        save_arrays(path, "training result", arrays, broken)
        with pytest.raises(CheckpointError, match="not a training result"):
            TrainResult.load(path)
    with pytest.raises(CheckpointError, match="no such file"):
        TrainResult.load(tmp_path / "missing.npz")
