"""Myopic training as a statement on values and gradients: what is equal, what is 0, and where two cuts differ."""

from __future__ import annotations

import copy
from collections.abc import Iterator

import torch
from torch import Tensor

from ...checks import Check
from ...sequence.measures import GradientSplit, gradient_split
from ...sequence.models import Cut, LanguageModel, Transformer, TransformerConfig, model_for
from ...sequence.models.myopic.attention import joined_attention, lone_attention
from ...sequence.objectives import Example, Myopic, Objective, TeacherForcing, Teacherless
from ...sequence.tasks import PathStar
from ..registry import Budget, at_most, claim, same, shared
from .training import two_cuts

TASK = PathStar(2, 3, 5)
CUTS = ("hidden_states", "keys_values")
# Of gradients, relative to their largest entry: sums of some thousand products, which float64 rounds by 1e-16.
ROUNDING = 1e-12

Gradients = dict[str, Tensor]


def models(layers: int = 2) -> dict[str, LanguageModel]:
    """At their initial weights, in double precision; positions of an edge carry two tokens, others empty slots."""
    rotary = TransformerConfig(
        TASK.vocab_size, TASK.max_length, layers=layers, slots=TASK.slots, null=TASK.null, positions="rotary"
    )
    found = {
        "Transformer": model_for(TASK, layers=layers),
        "rotary": Transformer(rotary),
        "Mamba": model_for(TASK, "mamba", layers=layers),
    }
    return {name: model.double() for name, model in found.items()}


def example(objective: Objective) -> Example:
    """Of 16 graphs."""
    return objective.example(TASK.sample(16, rng=0), TASK, torch.Generator().manual_seed(0))


def gradients(model: LanguageModel, objective: Objective) -> Gradients:
    """Of the mean loss on the example, by the names of the parameters."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    losses = objective.losses(model, example(objective))
    return dict(zip(names, torch.autograd.grad(losses.mean(), parameters), strict=True))


@shared
def split_of(name: str, objective: Objective) -> GradientSplit:
    """Of one of the models on the example."""
    return gradient_split(models()[name], TASK, objective, TASK.sample(16, rng=0))


def apart(one: Gradients, other: Gradients) -> float:
    """The largest difference over the largest entry of the second."""
    scale = max(float(value.abs().max()) for value in other.values())
    return max(float((one[name] - value).abs().max()) for name, value in other.items()) / scale


def crossing(model: LanguageModel, cut: Cut) -> int:
    """Entries other than 0 in the gradient of a loss at one position in what others bring into any layer."""
    states: list[Tensor] = []
    layers = model.blocks if isinstance(model, Transformer) else model.norms
    hooks = [
        layer.register_forward_pre_hook(lambda _, inputs: states.append(inputs[0]))
        for layer in layers  # type: ignore[union-attr]
    ]
    with model.cut(cut):
        logits = model(example(TeacherForcing()).tokens)
    for hook in hooks:
        hook.remove()
    count = 0
    for t in range(logits.shape[1]):
        others = torch.arange(logits.shape[1]) != t
        for gradient in torch.autograd.grad(logits[:, t].square().sum(), states, retain_graph=True):
            count += int((gradient[:, others] != 0).sum())
    return count


@claim("planning/gradient-split", source="2404.00859 (secondary)", evidence="measured")
def split() -> Iterator[Check]:
    """The gradient of training is its diagonal part, of each loss in its own position's weights, and the rest.

    Both parts from one copy of the weights a position, against the plain gradient on 16 graphs of G(2, 3), with and
    without a teacher, in two Transformers and Mamba of two layers.
    """
    for name, model in models().items():
        for objective in (TeacherForcing(), Teacherless()):
            parts = split_of(name, objective)
            error = apart(parts.total, gradients(model, objective))
            words = f"{name}, {objective.name}: diagonal + off-diagonal against the whole"
            yield at_most(0.0, error, slack=ROUNDING, evidence="measured", statement=words)
            words = f"{name}, {objective.name}: neither part is 0"
            yield same(True, min(parts.norms) > 0, evidence="measured", statement=words)


@claim("planning/myopic-descent", source="2404.00859 (secondary)", evidence="measured")
def myopic_descent() -> Iterator[Check]:
    """Descent without the off-diagonal terms is training with keys and values of other positions detached.

    The gradient of Myopic(cut="keys_values") against the diagonal part from copies of the weights, as for
    planning/gradient-split.
    """
    for name, model in models().items():
        for objective in (TeacherForcing(), Teacherless()):
            parts = split_of(name, objective)
            error = apart(gradients(model, Myopic(objective, "keys_values")), parts.diagonal)
            words = f"{name}, {objective.name}: myopic gradient against the diagonal part"
            yield at_most(0.0, error, slack=ROUNDING, evidence="measured", statement=words)


@claim("planning/forward-equality", source="FutureGPT2-public 22b86c1; derived", evidence="exact")
def forward_equality() -> Iterator[Check]:
    """A model whose gradients to other positions are cut says what the plain model says.

    Bit for bit, as the same kernels run, in single and double precision, for both cuts: logits on 16 graphs of G(2, 3).
    """
    tokens = example(TeacherForcing()).tokens
    for name, model in models().items():
        for precision in (torch.float64, torch.float32):
            plain = model.to(precision)(tokens)
            for at in CUTS:
                with model.cut(Cut(at)):
                    differing = int((model(tokens) != plain).sum())
                yield same(0, differing, statement=f"{name}, {at}, {precision}: logits that differ")


@claim("planning/cut-hidden-states", source="FutureGPT2-public 22b86c1", evidence="exact")
def cut_hidden_states() -> Iterator[Check]:
    """With hidden states of other positions detached no loss has a gradient in them, at the input of any layer.

    The weights of keys and values, which belong to the reader, keep their whole gradient. Gradients that are not 0 are
    counted in two layers; in one layer the attention's weights have the plain gradient.
    """
    for name, model in models().items():
        yield same(
            0, crossing(model, Cut()), statement=f"{name}: entries of gradients at other positions that are not 0"
        )
    for name, model in models(layers=1).items():
        plain, cut = gradients(model, TeacherForcing()), gradients(model, Myopic())
        reader = {key: value for key, value in plain.items() if key.startswith(("blocks.0.attention.", "mixers.0."))}
        words = f"{name}: gradient of the layer that reads against the plain one"
        yield at_most(0.0, apart(cut, reader), slack=ROUNDING, evidence="measured", statement=words)


@claim("planning/cut-keys-values", source="FutureGPT2-public; Rofin et al. code", evidence="exact")
def cut_keys_values() -> Iterator[Check]:
    """With keys and values of other positions detached, their weights too learn from their own position only.

    Gradients at other positions that are not 0, counted; and in one layer the gradient of the weights of keys and
    values against their own position's part of it, from copies of the weights.
    """
    for name, model in models().items():
        count = crossing(model, Cut("keys_values"))
        yield same(0, count, statement=f"{name}: entries of gradients at other positions that are not 0")
    model, weight = models(layers=1)["Transformer"], "blocks.0.attention.query_key_value.weight"
    own = gradient_split(model, TASK, TeacherForcing(), TASK.sample(16, rng=0)).diagonal[weight]
    error = apart({weight: gradients(model, Myopic(cut="keys_values"))[weight]}, {weight: own})
    yield at_most(0.0, error, slack=ROUNDING, evidence="measured", statement="their gradient against its diagonal part")


@claim(
    "planning/two-definitions",
    source="derived; own runs",
    evidence="exact",
    standard="The pre-caching task with K = 4, one seed: with hidden states cut the run ends lower.",
)
def two_definitions(budget: Budget) -> Iterator[Check]:
    """Two inequivalent trainings are called myopic: equal in value, different in the gradient of W_K and W_V alone.

    One layer on 16 graphs of G(2, 3): which of its gradients differ between the cuts. (With more layers those below
    the last differ too, as they depend on them.)
    """
    width, weight = 64, "blocks.0.attention.query_key_value.weight"
    for name, model in list(models(layers=1).items())[:2]:
        first, second = (gradients(model, Myopic(cut=at)) for at in CUTS)
        rows = {"queries": slice(0, width), "keys": slice(width, 2 * width), "values": slice(2 * width, None)}
        for what, which in rows.items():
            difference = apart({"": first[weight][which]}, {"": second[weight][which]})
            yield same(what != "queries", difference > 0.01, statement=f"{name}: gradients of weights of {what} differ")
        others = {key: value for key, value in second.items() if not key.startswith(weight.removesuffix(".weight"))}
        words = f"{name}: the largest difference in all other gradients"
        yield at_most(0.0, apart(first, others), slack=ROUNDING, evidence="measured", statement=words)
    if budget != "quick":
        yield from two_cuts()


@claim("planning/code-options", source="FutureGPT2-public 22b86c1", evidence="measured")
def code_options() -> Iterator[Check]:
    """beta leads from the cut gradient at 0 to the plain one at 1; a window of all positions is plain.

    Gradients in two layers at both ends; in one layer of attention that at beta = 0.3 lies on the line between them.
    """
    for name, model in models().items():
        plain = gradients(model, TeacherForcing())
        for at in CUTS:
            ends = {
                "beta = 1": Myopic(cut=at, beta=1.0),
                f"window = {TASK.max_length}": Myopic(cut=at, window=TASK.max_length),
            }
            for option, objective in ends.items():
                words = f"{name}, {at}: {option} against the plain gradient"
                error = apart(gradients(model, objective), plain)
                yield at_most(0.0, error, slack=ROUNDING, evidence="measured", statement=words)
            away = apart(gradients(model, Myopic(cut=at)), plain)
            words = f"{name}, {at}: beta = 0 is another gradient"
            yield same(True, away > 0.01, evidence="measured", statement=words)
    model = models(layers=1)["Transformer"]
    for at in CUTS:
        cut, between, plain = (gradients(model, Myopic(cut=at, beta=beta)) for beta in (0.0, 0.3, 1.0))
        error = apart(between, {key: 0.7 * value + 0.3 * plain[key] for key, value in cut.items()})
        words = f"one layer, {at}: beta = 0.3 against the line"
        yield at_most(0.0, error, slack=ROUNDING, evidence="measured", statement=words)


@claim("planning/bigram", source="FutureGPT2-public 22b86c1", evidence="exact")
def bigram() -> Iterator[Check]:
    """Keys and values of other positions set to 0 are still read, with weight e^0 / Z: logits are of x_n and n alone.

    Logits of two Transformers at a position when all other tokens change, bit for bit; and a head at 12 positions
    against a softmax over zeros, and against masking, which would give the own value.
    """
    tokens, others = (TASK.sample(16, rng=seed).prompts for seed in (0, 1))
    for name, model in list(models().items())[:2]:
        differing = 0
        with torch.no_grad(), model.cut(Cut("zero")):
            logits = model(tokens)
            for t in range(tokens.shape[1]):
                mixed = others.clone()
                mixed[:, t] = tokens[:, t]
                differing += int((model(mixed)[:, t] != logits[:, t]).sum())
            moved = int((model(tokens[:, :1].expand_as(tokens)).diff(dim=1) == 0).all(2).sum())
        yield same(0, differing, statement=f"{name}: logits that change with other tokens")
        yield same(0, moved, statement=f"{name}: neighbouring positions of one token with equal logits")
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 1, 1, 12, 8, generator=generator, dtype=torch.float64)
    head, zeros = lone_attention(q, k, v, torch.arange(12)), torch.zeros_like(k)
    error = float((head - joined_attention(q, k, v, zeros, zeros)).abs().max())
    # a dozen additions and a division of numbers near 1
    yield at_most(0.0, error, slack=1e-14, evidence="measured", statement="the head against a softmax over zeros")
    smaller = bool((head.abs() < v.abs())[:, :, 1:].all())
    yield same(True, smaller, statement="from the second position on the head is smaller than the own value")


@claim("planning/public-code-defects", source="FutureGPT2-public 22b86c1", evidence="measured")
def local_bonus_starts_at_the_loss() -> Iterator[Check]:
    """Frozen hidden states must come normalised: a reader equal to the frozen model then has that model's loss.

    (The public code hands on states before the norm.) Losses and gradients of two Transformers of two layers whose past
    is an equal frozen copy, for both cuts: the loss is the plain one and its gradient the myopic one.
    """
    for name, model in list(models().items())[:2]:
        past, plain = copy.deepcopy(model), TeacherForcing().losses(model, example(TeacherForcing()))
        for at in CUTS:
            reader = Myopic(cut=at, past=past)
            error = float((reader.losses(model, example(reader)) - plain).detach().abs().max())
            words = f"{name}, {at}: losses in nats against those of the frozen model"
            yield at_most(0.0, error, slack=ROUNDING, evidence="measured", statement=words)
            error = apart(gradients(model, reader), gradients(model, Myopic(cut=at)))
            words = f"{name}, {at}: gradient against the myopic one"
            yield at_most(0.0, error, slack=ROUNDING, evidence="measured", statement=words)


@claim("planning/crossing-frozen-prefix", source="derived; own check", evidence="exact")
def frozen_prefix() -> Iterator[Check]:
    """With the loss on the answer alone, a myopic model never trains what it reads before the answer.

    Edge-packed G(2, 3), both cuts, with and without a teacher: the tables of edges and, in the Transformer, positions
    before "=" have gradients of 0 in every bit; without a teacher so have all node tokens. In plain training they do
    not.
    """
    asked = TASK.sample(1).prompt_length - 1
    for name, model in models().items():
        for objective in (TeacherForcing(), Teacherless()):
            chosen = {f"embedding.tables.{table}.weight": slice(0, TASK.num_nodes) for table in (1, 2)}
            if name == "Transformer":
                chosen["positions.weight"] = slice(0, asked)
            if isinstance(objective, Teacherless):
                chosen["embedding.tables.0.weight"] = slice(0, TASK.num_nodes)
            for cut in (None, *CUTS):
                found = gradients(model, objective if cut is None else Myopic(objective, cut))
                count = sum(int((found[key][rows] != 0).sum()) for key, rows in chosen.items())
                words = f"{name}, {objective.name}, {cut or 'plain'}: some gradient of the prefix is not 0"
                yield same(cut is None, count > 0, statement=words)
