"""A run that is killed goes on bit for bit, whatever it was doing: computing, writing, renaming."""

from __future__ import annotations

import io
import itertools
import multiprocessing
import os
import random
import signal
import time

import numpy as np
import pytest
import torch

from ntp_theory import construct, runs
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import METHODS, checkpoint, descend

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL")

KILLS = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "exhaustive" else 5
NEVER = 10**9  # steps that no run here gets to
DATA = construct.random(6, 5, 5, 1, rng=0)  # one next token each and separable, as some methods ask


@pytest.fixture(scope="module")
def context():
    """Processes that begin with everything imported."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context


def run(data_path, path, method, every, place=None):
    """What the killed process does; given a place in its second save, it kills itself there."""
    torch.set_num_threads(1)
    saves, write, rename = itertools.count(1), np.savez, os.replace

    def die():
        os.kill(os.getpid(), signal.SIGKILL)

    def write_and_die(file, **arrays):
        if next(saves) < 2:
            return write(file, **arrays)
        whole = io.BytesIO()
        write(whole, **arrays)
        file.write(whole.getvalue()[:place])
        file.flush()
        return die()

    def die_renaming(*paths):
        return rename(*paths) if next(saves) < 2 else die()

    if place == "rename":
        os.replace = die_renaming
    elif place is not None:
        np.savez = write_and_die
    descend(NTPDataset.load(data_path), method, steps=NEVER, checkpoint=path, checkpoint_every=every)


def step_of(path):
    return runs.load_arrays(path, checkpoint.KIND)[1]["step"]


def same(a, b):
    return torch.equal(a.times, b.times) and torch.equal(a.weights, b.weights) and torch.equal(a.log_tail, b.log_tail)


def finish(path, method):
    """Go on from the file to a little further; the same from the start, uninterrupted."""
    steps = step_of(path) + 10
    return [descend(DATA, method, steps=steps, checkpoint=file) for file in (path, None)]


@pytest.mark.parametrize("method", list(METHODS))
def test_killed_at_any_moment(method, context, tmp_path):
    """Killed again and again, saving all the time or every few steps, and each life goes on where the last one was."""
    draw, path = random.Random(method), tmp_path / "run.npz"
    data_path = DATA.save(tmp_path / "data.npz")
    steps = [0]
    for life in range(KILLS if method == "gd" else 1):
        child = context.Process(target=run, args=(data_path, path, method, 0.005 * (life % 2)))
        child.start()
        while not path.exists() or step_of(path) <= steps[-1]:  # a checkpoint of its own
            assert child.is_alive()
            time.sleep(0.001)
        time.sleep(draw.uniform(0.0, 0.05))
        child.kill()
        child.join()
        assert child.exitcode == -signal.SIGKILL
        steps.append(step_of(path))
    assert steps == sorted(set(steps)), "every life went further"
    resumed, uninterrupted = finish(path, method)
    assert same(resumed, uninterrupted)
    assert sorted(os.listdir(tmp_path)) == ["data.npz", "run.npz"], "nothing is left of writes cut short"


@pytest.mark.parametrize("place", [0, 1, 1000, "rename"])
def test_killed_while_writing(place, context, tmp_path):
    """The old file stays, and what was written of the new one is removed by the next run."""
    path, data_path = tmp_path / "run.npz", DATA.save(tmp_path / "data.npz")
    child = context.Process(target=run, args=(data_path, path, "gd", 0, place))
    child.start()
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert step_of(path) == 0 and len(os.listdir(tmp_path)) == 3
    resumed, uninterrupted = finish(path, "gd")
    assert same(resumed, uninterrupted)
    assert sorted(os.listdir(tmp_path)) == ["data.npz", "run.npz"]
