"""The hidden states that a trained model's last layer reads, as an `NTPDataset`: the theory with h_j learned."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse
import torch
from torch import Tensor

from ..dataset import NTPDataset
from ..doors import generator, instance, whole
from ..errors import UsageError
from ..sequence.models import LanguageModel
from ..sequence.objectives import IGNORED, Objective
from ..sequence.tasks import Batch, SparseContexts, Task

__all__ = ["exact_features", "features_dataset", "head_weights"]

# Questions that are put to a model at once.
CHUNK = 1000


def features_dataset(
    model: LanguageModel,
    task: Task,
    objective: Objective,
    batch: Batch,
    *,
    places: Sequence[int] | None = None,
    rng: int | np.random.Generator = 0,
) -> NTPDataset:
    """A task as the last layer of a model sees it: contexts are embedded by the model's own hidden states.

    A context is all that the model has read at a judged position: the question, and what the objective shows of the
    answer before it. Equal contexts are one, with the counts of what follows them; where the question decides the
    answer, as on path-star graphs, every context has one next token and the empirical conditionals are the true ones.

    Parameters
    ----------
    model : LanguageModel
    task : Task
        Of tokens.
    objective : Objective
        As the model was trained: it says what is shown, and which positions are judged.
    batch : Batch
        Questions of the task.
    places : sequence of int, optional
        Which of the judged positions, counted from 0; on path-star graphs place k is where r_k is predicted. All of
        them if None.
    rng : int or numpy.random.Generator
        For what the objective chooses at random.

    Returns
    -------
    NTPDataset
        With integer ``counts``, in float64 on the CPU; d is the width of the model and V the outputs of its head. The
        embeddings are exactly the numbers that the head reads, so that exact decisions are about the model itself; a
        head with a bias reads one more, 1. Context "3:1" is place 1 of question 3.

    Raises
    ------
    UsageError
        If a place is out of range, the batch or the objective is not for the task, or the model is too small for it.
    DatasetError
        If two contexts with different next tokens have the same hidden state, or one is not finite.

    Notes
    -----
    Source: 2402.18551 Section 2 (`bias/loss`) with h_j the hidden states of a trained network. Beware of few contexts:
    with m <= d of them any answers are separable (`bias/lemma-1`), and fair coins between two tokens are with
    probability `wendel_probability(m, D)` at most, D the dimension of decoders (`classical/cover-wendel`).

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> from ntp_theory.sequence.training import TeacherForcing
    >>> task = PathStar(2, 3, 5)
    >>> features_dataset(model_for(task), task, TeacherForcing(), task.sample(20), places=[1])
    NTPDataset(num_contexts=20, vocab_size=10, dim=64, entropy=0 nats)
    """
    model.check_fits(task)
    objective.check_fits(task)
    task.check("batch", batch)
    batch = batch.to("cpu")
    seed = int(generator(rng).integers(2**63))
    example = objective.example(batch, task, torch.Generator().manual_seed(seed))
    judged = (example.labels[0] != IGNORED).nonzero()[:, 0].tolist()
    if places is not None:
        judged = [judged[whole("places", place, at_least=0, at_most=len(judged) - 1)] for place in places]
    if not judged or len(set(judged)) < len(judged):
        raise UsageError(f"places is {places!r}; it must have at least one place, and none twice")
    states = _states(model, example.tokens, judged)
    embeddings, counts, names = [], [], []
    for i, position in enumerate(judged):
        seen = example.tokens[:, : position + 1].flatten(1)
        distinct, which = torch.unique(seen, dim=0, return_inverse=True)
        first = torch.full((len(distinct),), len(seen)).scatter_reduce(0, which, torch.arange(len(seen)), "amin")
        index = (which.numpy(), example.labels[:, position].numpy())
        ones = np.ones(len(seen))
        counts.append(scipy.sparse.csr_array((ones, index), shape=(len(distinct), model.head.out_features)))
        embeddings.append(states[first, i])
        place = i if places is None else places[i]
        names += [f"{question}:{place}" for question in first.tolist()]
    return NTPDataset.from_counts(torch.cat(embeddings), scipy.sparse.vstack(counts), context_names=names)


def exact_features(model: LanguageModel, task: SparseContexts) -> NTPDataset:
    """All contexts of a task with their exact laws, embedded by a model.

    Parameters
    ----------
    model : LanguageModel
    task : SparseContexts

    Returns
    -------
    NTPDataset
        In float64 on the CPU, weights uniform; embeddings as in `features_dataset`.

    Raises
    ------
    UsageError
        If the task has no known laws, or the model is too small for it.
    DatasetError
        If two contexts with different laws have the same hidden state, or one is not finite.

    Notes
    -----
    Source: 2402.18551 Section 2 (`bias/loss`): the loss of a head on it is the expected loss of the model.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> task = SparseContexts(vocab_size=4, num_contexts=3, context_length=2)
    >>> data = exact_features(model_for(task), task)
    >>> data.num_contexts, data.dim, abs(data.entropy - task.entropy) < 1e-12
    (3, 64, True)
    """
    if not isinstance(task, SparseContexts):
        raise UsageError(f"task is {task!r}; it must be a SparseContexts, whose laws are known")
    model.check_fits(task)
    states = _states(model, task.contexts, [task.context_length - 1])[:, 0]
    laws = torch.zeros(len(states), model.head.out_features, dtype=torch.float64)
    laws[:, : task.vocab_size] = task.laws
    names = [" ".join(map(str, context)) for context in task.contexts.tolist()]
    return NTPDataset(states, laws, context_names=names)


def head_weights(model: LanguageModel) -> Tensor:
    """The decoder W of a model, (V, d) in float64 on the CPU; a bias is its last column.

    Examples
    --------
    >>> from ntp_theory.sequence.models import model_for
    >>> from ntp_theory.sequence.tasks import PathStar
    >>> head_weights(model_for(PathStar(2, 3, 5))).shape
    torch.Size([10, 64])
    """
    instance("model", model, LanguageModel)
    weight, bias = model.head.weight.detach(), model.head.bias
    if bias is not None:
        weight = torch.cat([weight, bias.detach()[:, None]], dim=1)
    return weight.double().cpu()


def _states(model: LanguageModel, tokens: Tensor, positions: list[int]) -> Tensor:
    """What the head reads (b, n, d) at some positions; float64 on the CPU."""
    parts = []
    with model.asked():
        for some in tokens.split(CHUNK):
            parts.append(model.features(some.to(model.device))[:, positions].double().cpu())
    states = torch.cat(parts)
    if model.head.bias is not None:
        states = torch.cat([states, states.new_ones(*states.shape[:2], 1)], dim=2)
    return states
