"""Sweeps: the same results whoever does the work, in whatever order."""

from __future__ import annotations

import random
import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.conditions import separability_probability
from ntp_theory.errors import UsageError
from ntp_theory.sweeps import processes, sweep


class Scrambled(Executor):
    """Does the jobs in random order, some of them twice, when the first result is asked for."""

    def __init__(self, seed):
        self._draw, self._waiting = random.Random(seed), []

    def submit(self, function, /, *arguments, **options):
        executor = self

        class Answer(Future):
            def result(self, timeout=None):
                executor.work()
                return super().result(timeout)

        answer = Answer()
        self._waiting.append((answer, lambda: function(*arguments, **options)))
        return answer

    def work(self):
        self._draw.shuffle(self._waiting)
        for answer, call in self._waiting:
            for _ in range(self._draw.choice([0, 1])):
                call()  # by a worker that is lost before it can answer
            answer.set_result(call())
        self._waiting.clear()


def tossed(job, rng):
    return job, rng.integers(1000, size=3).tolist(), rng.spawn(1)[0].integers(1000)


def failing(job):
    if job == 3:
        raise ZeroDivisionError(job)
    return job


@given(st.lists(st.integers(), max_size=12), st.integers(0, 2**32), st.integers(1, 5), st.integers(0, 99))
def test_results_do_not_depend_on_who_does_the_work(jobs, seed, batch, order):
    expected = [tossed(job, rng) for job, rng in zip(jobs, np.random.default_rng(seed).spawn(len(jobs)), strict=True)]
    assert sweep(tossed, jobs, rng=seed, batch=batch) == expected
    assert (
        sweep(tossed, iter(jobs), rng=np.random.default_rng(seed), executor=Scrambled(order), batch=batch) == expected
    )
    with ThreadPoolExecutor(3) as pool:
        assert sweep(tossed, jobs, rng=seed, executor=pool, batch=batch) == expected


def test_a_generator_goes_on():
    rng = np.random.default_rng(0)
    first, second = (sweep(tossed, [1], rng=rng) for _ in range(2))
    assert first != second


def test_without_chance():
    assert sweep(abs, [-1, 2], executor=Scrambled(0)) == sweep(abs, [-1, 2]) == [1, 2]


@pytest.mark.parametrize("executor", [None, Scrambled(0)])
def test_what_a_job_raises_is_raised(executor):
    with pytest.raises(ZeroDivisionError):
        sweep(failing, range(5), executor=executor)


def test_a_failure_calls_the_rest_off():
    begun, called_off = [], threading.Event()

    def job(number):
        begun.append(number)
        if number > 3:
            called_off.wait()
        return failing(number)

    with ThreadPoolExecutor(1) as pool:
        with pytest.raises(ZeroDivisionError):
            sweep(job, range(20), executor=pool)
        called_off.set()
    assert begun in ([0, 1, 2, 3], [0, 1, 2, 3, 4]), "at most one more was under way"


@pytest.fixture(scope="module")
def pool():
    with processes(1) as pool:
        yield pool


@pytest.fixture(scope="module")
def dask():
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client.get_executor()


@pytest.mark.parametrize("executor", ["pool", "dask"])
def test_separability_on_processes_and_on_dask(executor, request):
    executor = request.getfixturevalue(executor)
    place = (3, 2, 4, (1, 3))
    expected = separability_probability(*place, draws=40, rng=7)
    assert separability_probability(*place, draws=40, rng=7, executor=executor) == expected
    assert sweep(divmod_by_seven, range(5), executor=executor, batch=2) == [divmod(k, 7) for k in range(5)]


def divmod_by_seven(number):
    return divmod(number, 7)


@pytest.mark.parametrize(
    ("options", "rule"),
    [
        ({"executor": 2}, "executor is 2; it must be a concurrent.futures.Executor"),
        ({"batch": 0}, "batch is 0; it must be a whole number >= 1"),
        ({"rng": -1}, "rng is -1"),
    ],
)
def test_wrong_input_is_refused(options, rule):
    with pytest.raises(UsageError, match=rule):
        sweep(abs, [1], **options)


def test_what_is_no_function_and_no_jobs():
    with pytest.raises(UsageError, match="jobs is 3; it must be iterable"):
        sweep(abs, 3)
    with pytest.raises(UsageError, match="function is 3; it must be a function"):
        sweep(3, [1])


def test_wrong_workers_are_refused():
    with pytest.raises(UsageError, match="count is 0; it must be a whole number >= 1"):
        processes(0)
    with pytest.raises(UsageError, match="workers is 2 beside an executor, which has its own"):
        separability_probability(3, 2, 4, 1, workers=2, executor=Scrambled(0))
