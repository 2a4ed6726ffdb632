"""The contestants, and ratios of seconds taken in turns within one process, which a busy machine leaves as they are."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from ntp_theory.sequence.models import LanguageModel, Mamba, MambaConfig, Transformer, TransformerConfig
from ntp_theory.sequence.tasks import Batch, PathStar
from ntp_theory.sequence.training import Myopic, Objective, Settings, TeacherForcing, train


def transformer(task: PathStar) -> LanguageModel:
    """5 layers, 64 wide."""
    return Transformer(TransformerConfig(task.vocab_size, task.max_length, slots=task.slots, null=task.null))


def mamba(task: PathStar) -> LanguageModel:
    """5 layers, 64 wide."""
    return Mamba(MambaConfig(task.vocab_size, slots=task.slots, null=task.null))


def plain_loop(model: LanguageModel, task: PathStar, batches: list[Batch], learning_rate: float) -> None:
    """The loop that people write: logits everywhere, ignored labels, AdamW in two groups, clipping; examples given."""
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
    groups = [{"params": decay, "weight_decay": 0.0}, {"params": rest, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=learning_rate, betas=(0.9, 0.99))
    model.train()
    for batch in batches:
        tokens = batch.with_tokens(batch.answers[:, :-1])
        labels = torch.full(tokens.shape[:2], -1)
        labels[:, batch.prompt_length - 1 :] = batch.answers
        logits = model(tokens)
        loss = F.cross_entropy(logits.view(-1, logits.size(-1)), labels.view(-1), ignore_index=-1)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        loss.item()  # to be shown


def graph_by_graph(task: PathStar, count: int, seed: int) -> Batch:
    """One graph after another in Python: nodes without repetition, arms, a shuffled list of edges, tokens."""
    draw, null = random.Random(seed), task.null
    prompts, answers = [], []
    for _ in range(count):
        nodes = draw.sample(range(task.num_nodes), task.graph_size)
        start, rest, arm = nodes[0], nodes[1:], task.path_length - 1
        arms = [rest[i * arm : (i + 1) * arm] for i in range(task.degree)]
        edges = [edge for one in arms for edge in zip([start, *one], one, strict=False)]
        draw.shuffle(edges)
        path = [start, *arms[0]]
        prompt = [[null, u, v] for u, v in edges]
        prompt += [[token, null, null] for token in (start, path[-1], task.encoding.equals)]
        prompts.append(prompt)
        answers.append(path)
    return Batch(torch.tensor(prompts), torch.tensor(answers), null)


def in_turns(contestants: dict[str, Callable[[], object]], repeats: int) -> dict[str, list[float]]:
    """Seconds of every contestant, one after another, again and again; the first turn is to warm up."""
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for turn in range(repeats + 1):
        for name, run in contestants.items():
            begun = time.perf_counter()
            run()
            if turn:
                seconds[name].append(time.perf_counter() - begun)
    return seconds


def ratio(seconds: dict[str, list[float]], of: str, to: str) -> float:
    """The median over the turns of how much longer one takes than the other."""
    return median(a / b for a, b in zip(seconds[of], seconds[to], strict=True))


def training(make: Callable[[PathStar], LanguageModel], repeats: int, steps: int = 10) -> dict[str, Any]:
    """Tokens a second of `train`, evaluation left out, and how much longer the plain loop takes for the same steps.

    `train` draws its examples as it goes; the plain loop has them beforehand.
    """
    task, settings = PathStar(2, 5, 9), Settings()
    ours, plain = make(task), make(task)
    batches = [task.sample(settings.batch_size, np.random.default_rng(k), split="train") for k in range(steps)]

    def run() -> None:
        train(ours, task, TeacherForcing(), steps=steps, settings=settings, evaluate_every=10**9, evaluate_count=1)

    seconds = in_turns({"train": run, "plain": lambda: plain_loop(plain, task, batches, 1e-3)}, repeats)
    tokens = steps * settings.batch_size * (task.max_length - 1)
    return {
        "model": type(ours).__name__,
        "parameters": sum(p.numel() for p in ours.parameters()),
        "tokens_per_second": tokens / median(seconds["train"]),
        "speed_up": ratio(seconds, "plain", "train"),
    }


def myopic(make: Callable[[PathStar], LanguageModel], cut: str, repeats: int, steps: int = 10) -> dict[str, Any]:
    """How much longer `train` takes for the same steps when gradients to other positions are cut."""
    task, model = PathStar(2, 5, 9), make(PathStar(2, 5, 9))

    def run(objective: Objective) -> None:
        train(model, task, objective, steps=steps, evaluate_every=10**9, evaluate_count=1)

    contestants = {"myopic": lambda: run(Myopic(cut=cut)), "plain": lambda: run(TeacherForcing())}
    return {"model": type(model).__name__, "cut": cut, "cost": ratio(in_turns(contestants, repeats), "myopic", "plain")}


def generation(shape: tuple[int, int, int], repeats: int, count: int = 1000) -> dict[str, Any]:
    """Graphs a minute in batches of ``count``, and how much longer the same number takes one after another."""
    task = PathStar(*shape)
    random, many = np.random.default_rng(0), 50
    seconds = in_turns(
        {
            "batch": lambda: [len(task.sample(count, random)) for _ in range(many)],
            "one by one": lambda: graph_by_graph(task, count, 0),
        },
        repeats,
    )
    return {
        "task": repr(task),
        "graphs_per_minute": 60 * many * count / median(seconds["batch"]),
        "speed_up": many * ratio(seconds, "one by one", "batch"),
    }


def measured(repeats: int) -> dict[str, Any]:
    """All of it, on one thread."""
    torch.set_num_threads(1)
    return {
        "training": [training(make, repeats) for make in (transformer, mamba)],
        "myopic": [
            myopic(make, cut, repeats) for make in (transformer, mamba) for cut in ("hidden_states", "keys_values")
        ],
        "generation": [generation(shape, repeats) for shape in ((2, 5, 9), (2, 5, 50), (5, 5, 50))],
        "repeats": repeats,
        "torch": torch.__version__,
    }
