"""The study of open questions: its methods do what they say, and its file is what its code measures."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import ntp_theory as ntp

SCRIPT = Path(__file__).parents[2] / "examples" / "open_questions" / "soft_labels.py"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("open_questions_soft_labels", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their annotations up there
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.parametrize("name", ["SplitSign", "SplitSpectral", "SteepestOffF"])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.integers(2, 3))
def test_split_directions_are_off_f(study, name: str, seed: int, size: int) -> None:
    data = study.instance(size, seed)
    gradient = torch.from_numpy(np.random.default_rng(seed).standard_normal((data.vocab_size, data.dim)))
    direction = getattr(study, name)().direction(study.off_f(gradient, data), data)
    assert float((direction * study.off_f(gradient, data)).sum()) > 0.0
    logits = data.embeddings @ direction.T
    spread = torch.where(data.support, logits, -torch.inf).amax(1) - torch.where(data.support, logits, torch.inf).amin(
        1
    )
    assert float(spread.max()) < 1e-10 * float(data.embeddings.norm(dim=1).max() * direction.norm())


def test_steepest_step_off_f_beats_the_projected_sign(study) -> None:
    data = study.instance(2, 0)
    gradient = study.off_f(torch.from_numpy(np.random.default_rng(0).standard_normal((5, 15))), data)
    steepest, projected = (method.direction(gradient, data) for method in (study.SteepestOffF(), study.SplitSign()))
    assert float(steepest.abs().max()) <= 1.0 + 1e-6  # the feasibility that the solver of linear programs is asked for
    assert float((gradient * steepest).sum()) > float((gradient * projected).sum() / projected.abs().max())


def test_generators_span_f(study) -> None:
    data = study.instance(3, 1)
    rows = study.generators(data)
    assert np.linalg.matrix_rank(rows) == ntp.subspace.data_subspace(data).dim == len(rows)
    assert max(float(study.off_f(torch.from_numpy(row).reshape(5, 15), data).abs().max()) for row in rows) < 1e-10


@pytest.mark.parametrize("name", ["sign", "signum", "adam"])
def test_entrywise_methods_run_side_by_side_as_if_alone(study, name: str) -> None:
    places = [(1, 0), (3, 1)]
    together = study.measure((name, places, [50]))
    alone = [row for place in places for row in study.measure((name, [place], [50]))]
    assert together == alone


def test_one_hot_case_ends_at_the_margin_of_its_theorem(study) -> None:
    """The gap over ``(log k + m) / sqrt(k)`` does not grow: it more than halves from k = 20 to 400."""
    early, late = study.measure(("sign", [(1, 0)], [20, 400]))
    bound = (1.0 - early.max) * ((np.log(400) + 12) / np.sqrt(400)) / ((np.log(20) + 12) / np.sqrt(20))
    assert 0.0 <= 1.0 - late.max <= bound


def test_leak_is_zero_without_f_and_one_without_the_rest(study) -> None:
    one_hot, soft = study.instance(1, 0), study.instance(2, 0)
    assert study.leak("sign", torch.zeros(5, 15, dtype=torch.float64), one_hot) == 0.0
    # far along the direction of divergence the loss off F is below rounding
    limit = ntp.predict(soft)
    assert study.leak("sign", 60.0 * limit.direction, soft) == pytest.approx(1.0)
    assert study.leak("muon", limit.direction, soft) is None


def test_file_has_every_run_once_in_order(study) -> None:
    rows = study.read()
    wanted = {(name, *place, k) for name, places, records in study.jobs() for place in places for k in records}
    assert [row[:4] for row in rows] == sorted(wanted, key=lambda key: (list(study.METHODS).index(key[0]), *key[1:]))


def test_a_recorded_row_is_measured_again(study) -> None:
    row = next(row for row in study.read() if row[:4] == ("sign", 2, 3, 100))
    [again] = study.measure(("sign", [(2, 3)], [100]))
    assert again[:4] == row[:4]
    assert np.allclose(again[4:], row[4:], rtol=1e-4)  # five digits are recorded


def test_reading_gives_back_what_was_written(study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = study.measure(("sign", [(1, 0)], [1, 2])) + study.measure(("ngd", [(2, 0)], [1, 2]))
    monkeypatch.setattr(study, "FILE", tmp_path / "rows.csv")
    study.write(rows[::-1])
    assert study.read() == rows


def test_mean_and_standard_error(study) -> None:
    mean, error = study.mean_and_error(np.array([[1.0, 3.0], [2.0, 2.0]]))
    assert mean.tolist() == [2.0, 2.0] and error.tolist() == pytest.approx([1.0, 0.0])
