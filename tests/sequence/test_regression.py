"""Tasks of numbers: read, trained on, judged, and kept apart from tasks of tokens."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.measures import evaluate
from ntp_theory.sequence.models import Mamba, MambaConfig, Transformer, TransformerConfig, model_for
from ntp_theory.sequence.tasks import Batch, PathStar, Task
from ntp_theory.sequence.training import Regression, Settings, TeacherForcing, TrainResult, train


class Sums(Task):
    """The target is the sum of the two numbers at a position."""

    numbers, right_answers = 2, False
    vocab_size, max_length, depth = 1, 4, 1

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        drawn = torch.from_numpy(np.random.default_rng(rng).standard_normal((n, 4, 2))).float()
        return Batch(drawn, drawn.sum(2))

    def __repr__(self) -> str:
        return "Sums()"


@given(errors=st.lists(st.floats(-5, 5), min_size=1, max_size=4), delta=st.floats(0.1, 3))
def test_the_huber_loss(errors: list[float], delta: float) -> None:
    """Half the square up to delta, linear beyond: from the definition, on a model that says 0."""
    model = model_for(Sums())
    torch.nn.init.zeros_(model.head.weight)
    labels = torch.tensor([errors])
    found = Regression(delta).losses(
        model, Regression().example(Batch(torch.zeros(1, len(errors), 2), labels), Sums(), torch.Generator())
    )
    wanted = [e * e / 2 if abs(e) <= delta else delta * (abs(e) - delta / 2) for e in map(abs, errors)]
    assert found.shape == (1, len(errors))
    assert np.allclose(found.detach()[0], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("architecture", ["transformer", "mamba"])
def test_it_is_learned(architecture: str, tmp_path) -> None:
    """A linear target is learned well below the loss of saying 0; the record of it comes back from its file."""
    model = model_for(Sums(), architecture)
    before = evaluate(model, Sums(), Regression(), count=200)
    settings = Settings(warmup=10)
    result = train(model, Sums(), Regression(), steps=100, settings=settings, evaluate_every=50, evaluate_count=200)
    assert result.evaluations[-1].loss < before.loss / 5
    assert math.isnan(result.free) and result.evaluations[-1].forced == ()
    again = TrainResult.load(result.save(tmp_path / "run.npz"))
    assert again.summary() == result.summary() and "loss" in again.summary()
    assert again.evaluations[-1].losses == result.evaluations[-1].losses


def test_numbers_and_tokens_are_kept_apart() -> None:
    """Models, objectives and stopping rules of the other kind are refused by name."""
    stars = PathStar(2, 2, 3)
    for model, task, objective, words in [
        (model_for(Sums()), Sums(), TeacherForcing(), "it predicts tokens"),
        (model_for(stars), stars, Regression(), "it predicts numbers"),
        (model_for(stars), Sums(), Regression(), "2 numbers at a position, and the model takes 0"),
    ]:
        for call in (train, evaluate):
            with pytest.raises(UsageError, match=words):
                call(model, task, objective, **({"steps": 1} if call is train else {}))
    with pytest.raises(UsageError, match="no right answers"):
        train(model_for(Sums()), Sums(), Regression(), steps=1, until=0.5)
    with pytest.raises(UsageError, match="must be numbers"):
        model_for(Sums())(torch.zeros(1, 3, dtype=torch.int64))
    for config in (TransformerConfig, MambaConfig):
        with pytest.raises(UsageError, match="numbers is -1"):
            config(3, 4, numbers=-1)
        with pytest.raises(UsageError, match="slots is 2"):
            config(3, 4, slots=2, null=2, numbers=1)
    with pytest.raises(UsageError, match="no token that hides"):
        _ = Sums().dummy


def test_the_seed_decides_the_reading() -> None:
    """Numbers are read with weights of their own scale, drawn from the seed."""
    configs = [TransformerConfig(1, 4, numbers=1, width=1024, heads=1, layers=1, seed=s) for s in (0, 0, 1)]
    first, same, other = (Transformer(c).embedding.weight for c in configs)
    assert torch.equal(first, same) and not torch.equal(first, other)
    assert abs(float(first.detach().std()) - 1) < 5 / math.sqrt(2 * 1024)
    assert Mamba(MambaConfig(1, numbers=3)).embedding.weight.shape == (64, 3)


def test_a_model_is_asked_without_gradients():
    model = model_for(Sums())
    assert not Regression().answer(model, Sums().sample(2), Sums()).requires_grad and model.training
