"""Training on the pre-caching task: what it costs to cut gradients to other positions, and what probes then find."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch.nn.functional import huber_loss

from ...checks import Check
from ...sequence.measures import cached_effect, evaluate, myopia_gap, probe
from ...sequence.measures.probes import ridge
from ...sequence.models import LanguageModel, model_for
from ...sequence.objectives import Myopic, Regression
from ...sequence.tasks import PreCaching
from ...sequence.training import Settings, TrainResult, train
from ..registry import Budget, at_most, claim, close, same, shared

SEEDS = 3
# Held-out sequences of the last word on a run.
COUNT = 4000
LENGTH, FREQUENCY, WINDOW = 32, 5.0, 10
STEPS = 1500
# At which plain training is quick, and at which myopic training ends lowest, of the two.
RATE, LOW_RATE = 3e-3, 1e-3
# Of the control, at the low rate.
MANY = 4000


def trained(
    cut: str | None, shift: int, seed: int, steps: int = STEPS, rate: float = RATE, window: int = WINDOW
) -> tuple[PreCaching, LanguageModel, TrainResult]:
    """A model of 2 layers of width 64, trained on fresh sequences; plainly if nothing is cut."""
    return _trained(cut, shift, seed, steps, rate, window)  # a cache keeps calls apart by how they are written


@shared
def _trained(
    cut: str | None, shift: int, seed: int, steps: int, rate: float, window: int
) -> tuple[PreCaching, LanguageModel, TrainResult]:
    task = PreCaching(FREQUENCY, window, 1.0, shift=shift, length=LENGTH)
    model = model_for(task, seed=seed)
    objective = Regression() if cut is None else Myopic(Regression(), cut)
    settings = Settings(batch_size=64, learning_rate=rate, schedule="cosine")
    result = train(model, task, objective, steps=steps, rng=seed, settings=settings, evaluate_every=125)
    return task, model, result


def losses(
    cut: str | None, shift: int, seed: int, steps: int = STEPS, rate: float = RATE, window: int = WINDOW
) -> tuple[float, float]:
    """The held-out loss of a trained model at its end, and of saying 0 on the same sequences."""
    task, model, _ = trained(cut, shift, seed, steps, rate, window)
    answers = task.sample(COUNT, seed + 100, split="test").answers
    zero = huber_loss(answers, torch.zeros_like(answers))
    return evaluate(model, task, Regression(), count=COUNT, rng=seed + 100).loss, float(zero)


def first_layer(
    cut: str | None, shift: int, seed: int, steps: int = STEPS, rate: float = RATE
) -> tuple[float, float, float]:
    """How well sin(a x_n) is read off the state after layer 1 at n: its R^2, and that of both controls.

    The controls are the embedding, and the sines of other sequences.
    """
    task, model, _ = trained(cut, shift, seed, steps, rate)
    prompts = task.sample(1024, seed + 200, split="test").prompts
    found = probe(model, prompts, task.features(prompts.numpy()), rng=seed)
    return float(found.r2[1, 0]), float(found.r2[0, 0]), float(found.shuffled[1, 0])


def followed(cut: str | None, shift: int, seed: int, steps: int = STEPS, rate: float = RATE) -> tuple[float, float]:
    """The mean slope in the window of outputs against the sine of an exchanged state, after layer 1 and of the input.

    The second is all of the effect that the input has; the first is what goes through the state after layer 1.
    """
    task, model, _ = trained(cut, shift, seed, steps, rate)
    late, early = (cached_effect(model, task, layer=layer, rng=seed) for layer in (1, 0))
    window = np.array(late.predicted, dtype=bool)
    return float(late.slopes[window].mean()), float(early.slopes[window].mean())


def best_and_last(result: TrainResult) -> tuple[float, float]:
    """The lowest loss of all evaluations, and that of the last."""
    return min(one.loss for one in result.evaluations), result.evaluations[-1].loss


@claim("planning/synthetic-task", source="FutureGPT2-public 22b86c1", evidence="exact")
def synthetic_task() -> Iterator[Check]:
    """y_n = z_n (sum over i < K of sin(a x_(n-s-i))) + (1 - z_n) x_n: as defined, with the printed loss of saying 0.

    Targets of 6 tasks against a double loop, to the last bit; the expected Huber loss of saying 0, by a series, against
    20,000 drawn sequences and the public notebook's 1.2569.
    """
    wrong = count = 0
    for shift in (0, 1, 3):
        for probability in (0.3, 1.0):
            task = PreCaching(FREQUENCY, 4, probability, shift=shift, length=12)
            batch = task.sample(50, rng=shift)
            wrong += int((batch.answers.numpy() != _double_loop(task, batch.prompts.numpy())).sum())
            count += batch.answers.numel()
    yield same(0, wrong, statement=f"targets of {count} that differ from a double loop")
    task = PreCaching(probability=1.0)
    expected = float(np.mean(task.zero_losses()))
    answers = task.sample(20_000, rng=0).answers
    drawn = huber_loss(answers, torch.zeros_like(answers), reduction="none").mean(1).double()
    spread = float(drawn.std())
    words = "saying 0, a = 10, K = 10, p = 1, T = 64, on 20,000 sequences, within five standard errors"
    five = 5 * spread / len(drawn) ** 0.5
    yield close(expected, float(drawn.mean()), tolerance=five, relative=False, evidence="measured", statement=words)
    words = "the same against the notebook's digits, within their rounding and a standard error of 200,000 sequences"
    slack = 5e-5 + spread / 200_000**0.5
    yield close(1.2569, expected, tolerance=slack, relative=False, evidence="measured", statement=words)


def _double_loop(task: PreCaching, prompts: np.ndarray) -> np.ndarray:
    targets = np.empty(prompts.shape[:2], dtype=np.float32)
    for row, sequence in enumerate(prompts.astype(np.float64)):
        for n, (x, z) in enumerate(sequence):
            total = 0.0
            for i in range(task.window):
                before = n - task.shift - i
                total += np.sin(task.frequency * sequence[before, 0]) if before >= 0 else 0.0
            targets[row, n] = total if z == 1 else x
    return targets


@claim(
    "planning/small-machines",
    source="own runs",
    evidence="measured",
    standard="a = 5, K = 10, p = 1, T = 32, shift 1, 1,500 steps of 64 at a rate of 3e-3, three seeds: plain training "
    "ends at a fifth of the loss of saying 0 or lower, myopic training (hidden states cut) within 20 % of it. (At this "
    "rate its outputs hardly depend on the inputs in the end; planning/measured-gap has a lower one.)",
)
def small_machines(budget: Budget) -> Iterator[Check]:
    """Two layers of width 64 learn to pre-cache in minutes; myopic training at the same settings stays at saying 0."""
    for seed in range(SEEDS):
        found, zero = losses(None, 1, seed)
        words = f"seed {seed}: plain loss against a fifth of {zero:.4f}, the loss of saying 0"
        yield at_most(0.2 * zero, found, evidence="measured", statement=words)
        found, zero = losses("hidden_states", 1, seed)
        words = f"seed {seed}: {zero:.4f}, the loss of saying 0, less myopic loss {found:.4f}"
        yield at_most(0.2 * zero, zero - found, evidence="measured", statement=words)


@claim(
    "planning/measured-gap",
    source="own runs",
    evidence="measured",
    verdict="holds, repaired",
    standard="The runs of planning/small-machines, three seeds: the lower end of the 99 % interval of myopic less "
    "plain loss over 4,000 sequences is at least 0.6 of the loss of saying 0, what a fifth on either side leaves; the "
    "best evaluation of the myopic run is within 20 % of it as well. One myopic run at a rate of 1e-3 leaves this "
    "band, at more than twice the loss of the plain run; no outputs follow its states after layer 1.",
)
def measured_gap(budget: Budget) -> Iterator[Check]:
    """The gap at equal settings is most of the loss of saying 0; a lower rate narrows it without any pre-caching."""
    for seed in range(SEEDS):
        task, plain, _ = trained(None, 1, seed)
        _, myopic, result = trained("hidden_states", 1, seed)
        zero = float(np.mean(task.zero_losses()))
        gap = myopia_gap(plain, myopic, task, Regression(), count=COUNT, rng=seed + 100, level=0.99)
        words = f"seed {seed}: 0.6 of {zero:.4f}, the loss of saying 0, against the gap {gap.overall:.4f}, lower end"
        yield at_most(-0.6 * zero, -gap.interval[0], evidence="measured", statement=words)
        best, last = best_and_last(result)
        words = f"seed {seed}: {zero:.4f} less the best myopic loss, {best:.4f}; last {last:.4f}"
        yield at_most(0.2 * zero, zero - best, evidence="measured", statement=words)
    low, zero = losses("hidden_states", 1, 0, rate=LOW_RATE)
    words = f"rate {LOW_RATE}: myopic loss against 80% of {zero:.4f}, the loss of saying 0"
    yield at_most(0.8 * zero, low, evidence="measured", statement=words)
    words = f"plain loss against half of the myopic one at rate {LOW_RATE}, {low:.4f}"
    yield at_most(low / 2, losses(None, 1, 0)[0], evidence="measured", statement=words)
    late, early = followed("hidden_states", 1, 0, rate=LOW_RATE)
    words = f"rate {LOW_RATE}: mean slope of outputs on an exchanged state after layer 1; on the input {early:.2f}"
    yield at_most(0.1, abs(late), evidence="measured", statement=words)


@claim(
    "planning/breadcrumbs-control",
    source="FutureGPT2-public; own runs",
    evidence="measured",
    verdict="holds, repaired",
    standard="The same task with shift 0, 4,000 steps at a rate of 1e-3, one seed: the best evaluation of the myopic "
    "run is below half of the loss of saying 0; of the effect of an input on later outputs less than half goes through "
    "the state after layer 1.",
)
def breadcrumbs_control(budget: Budget) -> Iterator[Check]:
    """Where the sine is of use at once, myopic training learns the sum as well; but breadcrumbs are the lesser part."""
    task, _, result = trained("hidden_states", 0, 0, MANY, LOW_RATE)
    zero = float(np.mean(task.zero_losses()))
    best, last = best_and_last(result)
    words = f"{MANY} steps: best myopic loss against half of {zero:.4f}, the loss of saying 0; last {last:.4f}"
    yield at_most(zero / 2, best, evidence="measured", statement=words)
    late, early = followed("hidden_states", 0, 0, MANY, LOW_RATE)
    words = f"mean slope of later outputs on an exchanged state after layer 1; half of that on the input, {early:.2f}"
    yield at_most(early / 2, late, evidence="measured", statement=words)


@claim(
    "planning/probes",
    source="FutureGPT2-public; own runs",
    evidence="certified",
    standard="The models of planning/small-machines, three seeds: R^2 of sin(a x_n) after layer 1 above 0.8 with "
    "plain training, below 0.3 with myopic training; in the embedding and for shuffled sines at most 0.05. The state "
    "after layer 1 exchanged for that of another x_n: later outputs of the plain model follow with a mean slope above "
    "0.3 in the window (in two seeds all of the input's effect goes through this state, in one less than half), those "
    "of the myopic model with one below 0.1.",
)
def probes(budget: Budget) -> Iterator[Check]:
    """A linear probe finds the sine that later positions need after plain training and not after myopic training.

    The probe itself: what its closed form leaves of the normal equations, relative to their terms.
    """
    random = np.random.default_rng(0)
    x, y = (torch.from_numpy(random.standard_normal(shape)) for shape in ((500, 65), (500, 1)))
    weights, constant = ridge(x, y, 1e-4)
    errors = y - x @ weights - constant
    left = float((x.T @ errors - 1e-4 * weights).abs().max() / (x.abs().T @ y.abs()).max())
    # a solve with 65 unknowns of condition number below 10 rounds at 65 * 10 * 1.1e-16 at most
    yield at_most(1e-13, left, evidence="certified", statement="gradient of the ridge loss at its closed-form minimum")
    for seed in range(SEEDS if budget != "quick" else 0):
        for cut, name in ((None, "plain"), ("hidden_states", "myopic")):
            r2, embedding, shuffled = first_layer(cut, 1, seed)
            late, early = followed(cut, 1, seed)
            words = f"seed {seed}, {name}: R^2 of sin(a x_n) after layer 1, {r2:.3f}"
            if cut is None:
                yield at_most(-0.8, -r2, evidence="measured", statement=words)
            else:
                yield at_most(0.3, r2, evidence="measured", statement=words)
            words = f"seed {seed}, {name}: the larger R^2 of the controls, the embedding and shuffled sines"
            yield at_most(0.05, max(embedding, shuffled), evidence="measured", statement=words)
            words = f"seed {seed}, {name}: mean slope of outputs on an exchanged state; on the input {early:.2f}"
            if cut is None:
                yield at_most(-0.3, -late, evidence="measured", statement=words)
            else:
                yield at_most(0.1, abs(late), evidence="measured", statement=words)


def two_cuts() -> Iterator[Check]:
    """What the two cuts reach with K = 4, at the rate that serves them better."""
    states, zero = losses("hidden_states", 1, 0, rate=LOW_RATE, window=4)
    keys, _ = losses("keys_values", 1, 0, rate=LOW_RATE, window=4)
    words = f"K = 4: loss with hidden states cut, less that with keys and values cut; saying 0 has {zero:.4f}"
    yield at_most(0.0, states - keys, evidence="measured", statement=words)
