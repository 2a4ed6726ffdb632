"""Sequence models: tasks, models, objectives, training, decoding, measures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.sequence import decoding, measures, models, tasks, training
from ntp_theory.testing import TableModel

from .bad import TASK, Bad, model

NAN = math.nan
PROMPT = torch.zeros(1, 3, dtype=torch.int64)
HALF = np.array([0.5, 0.5])


def trained(**changes: Any) -> object:
    """One step of training, with one argument changed."""
    arguments = {"model": model(), "task": TASK, "objective": training.TeacherForcing(), "steps": 1} | changes
    return training.train(**arguments)


TASKS = [
    Bad("a star without arms", lambda _: tasks.PathStar(0, 2, 8), UsageError, ("degree", "0")),
    Bad("a star of halves", lambda _: tasks.PathStar(2, 2.5, 8), UsageError, ("path_length", "2.5")),
    Bad("a star of too few names", lambda _: tasks.PathStar(5, 5, 3), UsageError, ("num_nodes", "3")),
    Bad("a star in an unknown order", lambda _: tasks.PathStar(2, 2, 8, "sideways"), UsageError, ("order", "sideways")),
    Bad(
        "a star in an unknown encoding",
        lambda _: tasks.PathStar(2, 2, 8, encoding="morse"),
        UsageError,
        ("encoding", "morse"),
    ),
    Bad("no samples", lambda _: TASK.sample(0), UsageError, ("n", "0")),
    Bad("samples by a seed in words", lambda _: TASK.sample(1, rng="x"), UsageError, ("rng", "'x'")),
    Bad("samples of an unknown split", lambda _: TASK.sample(1, split="dev"), UsageError, ("split", "dev")),
    Bad("a graph of a number", lambda _: TASK.parse(3), DatasetError, ("int", "str")),
    Bad("a graph of prose", lambda _: TASK.parse("to be"), DatasetError, ("to be",)),
    Bad("a graph of no text", lambda _: TASK.parse(""), DatasetError, ("text",)),
    Bad(
        "a graph with huge names", lambda _: tasks.PathStarGraph.parse("9" * 5000 + ",4/3,4"), DatasetError, ("digits",)
    ),
    Bad("solutions of no batch", lambda _: TASK.solve(None), UsageError, ("batch", "None")),
    Bad("a batch of lists", lambda _: tasks.Batch([[1]], [[1]]), UsageError, ("prompts",)),
    Bad(
        "a batch of other lengths",
        lambda _: tasks.Batch(torch.zeros(2, 1, dtype=torch.int64), torch.zeros(1, 1, dtype=torch.int64)),
        UsageError,
        ("answers", "2", "1"),
    ),
    Bad("factors without digits", lambda _: tasks.Multiplication(0), UsageError, ("digits", "0")),
    Bad(
        "factors of too many digits", lambda _: tasks.Multiplication(3).batch([(10**9, 1)]), UsageError, ("1000000000",)
    ),
    Bad(
        "a product of prose", lambda _: tasks.Multiplication(2).parse("two times two"), DatasetError, ("two times two",)
    ),
    Bad("an expression of prose", lambda _: tasks.Expression.parse("x +"), DatasetError, ("x+",)),
    Bad(
        "an expression nested deep",
        lambda _: tasks.Expression.parse("(" * 100_000),
        DatasetError,
        ("100000", "at most 100"),
    ),
    Bad("no modulus", lambda _: tasks.PolynomialArithmetic(modulus=1), UsageError, ("modulus", "1")),
    Bad(
        "expressions that are none",
        lambda _: tasks.PolynomialArithmetic().batch([3]),
        UsageError,
        ("expressions[0]", "3"),
    ),
    Bad("a window of none", lambda _: tasks.PreCaching(window=0), UsageError, ("window", "0")),
    Bad("a frequency of NaN", lambda _: tasks.PreCaching(frequency=NAN), UsageError, ("frequency", "nan")),
    Bad("a probability above 1", lambda _: tasks.PreCaching(probability=1.5), UsageError, ("probability", "1.5")),
    Bad("induction without names", lambda _: tasks.Induction(0), UsageError, ("names", "0")),
    Bad("induction at a rate in words", lambda _: tasks.Induction(rate="often"), UsageError, ("rate", "often")),
    Bad(
        "sparse contexts above what there are",
        lambda _: tasks.SparseContexts(2, 10**6, 1, 1),
        UsageError,
        ("num_contexts", "1000000"),
    ),
    Bad("a task on a text too short", lambda _: tasks.Text("a", 64), DatasetError, ("text",)),
    Bad("a task on a number", lambda _: tasks.Text(3, 4), UsageError, ("int",)),
    Bad("a task on stretches of none", lambda _: tasks.Text("a" * 999, 4, stretches=0), UsageError, ("stretches", "0")),
]

MODELS = [
    Bad("no vocabulary", lambda _: models.TransformerConfig(0, 4), UsageError, ("vocab_size", "0")),
    Bad("half a layer", lambda _: models.TransformerConfig(4, 4, layers=0.5), UsageError, ("layers", "0.5")),
    Bad(
        "heads that do not divide",
        lambda _: models.TransformerConfig(4, 4, width=8, heads=3),
        UsageError,
        ("heads", "3", "8"),
    ),
    Bad(
        "unknown positions",
        lambda _: models.TransformerConfig(4, 4, positions="polar"),
        UsageError,
        ("positions", "polar"),
    ),
    Bad("a transformer of no config", lambda _: models.Transformer({"vocab_size": 4}), UsageError, ("config",)),
    Bad(
        "a Mamba of a transformer's config",
        lambda _: models.Mamba(models.TransformerConfig(4, 4)),
        UsageError,
        ("config",),
    ),
    Bad("a Mamba without state", lambda _: models.MambaConfig(4, state=0), UsageError, ("state", "0")),
    Bad("a seed in words", lambda _: models.MambaConfig(4, seed="lucky"), UsageError, ("seed", "lucky")),
    Bad("tokens outside", lambda _: model()(torch.full((1, 2, 3), 10**6)), UsageError, ("1000000",)),
    Bad("negative tokens", lambda _: model()(torch.full((1, 2, 3), -1)), UsageError, ("-1",)),
    Bad("tokens of floats", lambda _: model()(torch.zeros(1, 2, 3)), UsageError, ("tokens", "float32")),
    Bad("tokens in a list", lambda _: model()([[1, 2]]), UsageError, ("tokens", "[[1, 2]]", "Tensor")),
    Bad(
        "a text too long", lambda _: model()(torch.zeros(1, 99, 3, dtype=torch.int64)), UsageError, ("99", "max_length")
    ),
    Bad("a model for no task", lambda _: models.model_for(None), UsageError, ("task", "None")),
    Bad("an unknown architecture", lambda _: models.model_for(TASK, "abacus"), UsageError, ("architecture", "abacus")),
    Bad("heads on nothing", lambda _: models.LinearHeads(None, 2), UsageError, ("trunk", "None")),
    Bad("no heads", lambda _: models.LayerHeads(model(), 0), UsageError, ("num_heads", "0")),
    Bad("a model of no table", lambda _: TableModel(None), UsageError, ("table", "None")),
    Bad("a table without tokens", lambda _: models.Table.random(0, 1), UsageError, ("vocab_size", "0")),
    Bad("an unknown cut", lambda _: models.Cut("everywhere"), UsageError, ("at", "everywhere")),
    Bad("a checkpoint folder that is not there", lambda f: models.HuggingFace(str(f / "none")), UsageError, ("none",)),
]

TRAINING = [
    Bad("no model", lambda _: trained(model=None), UsageError, ("model", "None")),
    Bad("no task", lambda _: trained(task="chess"), UsageError, ("task", "chess")),
    Bad("no objective", lambda _: trained(objective=training.TeacherForcing), UsageError, ("objective",)),
    Bad("no steps", lambda _: trained(steps=-1), UsageError, ("steps", "-1")),
    Bad("a seed that is none", lambda _: trained(rng=None), UsageError, ("rng", "None")),
    Bad("settings in a dict", lambda _: trained(settings={"batch_size": 2}), UsageError, ("settings",)),
    Bad("evaluations of none", lambda _: trained(evaluate_count=0), UsageError, ("evaluate_count", "0")),
    Bad("evaluations never", lambda _: trained(evaluate_every=0), UsageError, ("evaluate_every", "0")),
    Bad("until it is better than perfect", lambda _: trained(until=1.5), UsageError, ("until", "1.5")),
    Bad("a callback that is none", lambda _: trained(callback=3), UsageError, ("callback", "3")),
    Bad(
        "checkpoints at a negative pace",
        lambda f: trained(checkpoint=f / "a", checkpoint_every=-1),
        UsageError,
        ("checkpoint_every", "-1"),
    ),
    Bad("a checkpoint by number", lambda _: trained(checkpoint=3), UsageError, ("3", "path")),
    Bad("examples of none", lambda _: trained(examples=[1]), UsageError, ("examples",)),
    Bad("a batch of none", lambda _: training.Settings(batch_size=0), UsageError, ("batch_size", "0")),
    Bad("a rate of NaN", lambda _: training.Settings(learning_rate=NAN), UsageError, ("learning_rate", "nan")),
    Bad("an unknown schedule", lambda _: training.Settings(schedule="wavy"), UsageError, ("schedule", "wavy")),
    Bad("an unknown precision", lambda _: training.Settings(precision="float8"), UsageError, ("precision", "float8")),
    Bad("betas in a list of one", lambda _: training.Settings(betas=(0.9,)), UsageError, ("betas",)),
    Bad("several tokens without heads", lambda _: training.MultiToken(0), UsageError, ("num_heads", "0")),
    Bad("masks above all", lambda _: training.MaskedTeacherForcing(2.0), UsageError, ("probability", "2.0")),
    Bad("Medusa with a weight in words", lambda _: training.Medusa(weight="heavy"), UsageError, ("weight", "heavy")),
    Bad("myopia around no objective", lambda _: training.Myopic(None), UsageError, ("objective", "None")),
]

DECODING = [
    Bad("no model", lambda _: decoding.greedy(None, PROMPT, 1), UsageError, ("model", "None")),
    Bad("no prompt", lambda _: decoding.greedy(model(), None, 1), UsageError, ("prompt", "None")),
    Bad("a prompt in words", lambda _: decoding.greedy(model(), "to be", 1), UsageError, ("prompt",)),
    Bad("a prompt of floats", lambda _: decoding.greedy(model(), torch.zeros(1, 3, 3), 1), UsageError, ("prompt",)),
    Bad(
        "an empty prompt",
        lambda _: decoding.greedy(TableModel(models.Table.random(3, 1)), torch.zeros(1, 0, dtype=torch.int64), 1),
        UsageError,
        ("prompt",),
    ),
    Bad(
        "a prompt outside the vocabulary",
        lambda _: decoding.greedy(TableModel(models.Table.random(3, 1)), torch.full((1, 2), 9), 1),
        UsageError,
        ("9",),
    ),
    Bad(
        "no new tokens",
        lambda _: decoding.greedy(TableModel(models.Table.random(3, 1)), PROMPT, 0),
        UsageError,
        ("max_new_tokens", "0"),
    ),
    Bad(
        "speculation without a draft",
        lambda _: decoding.speculative_sample(TableModel(models.Table.random(3, 1)), None, PROMPT, 1),
        UsageError,
        ("draft", "None"),
    ),
    Bad(
        "speculation about none",
        lambda _: decoding.speculative_sample(*[TableModel(models.Table.random(3, 1))] * 2, PROMPT, 1, gamma=0),
        UsageError,
        ("gamma", "0"),
    ),
    Bad(
        "speculation by another vocabulary",
        lambda _: decoding.speculative_sample(
            TableModel(models.Table.random(3, 1)), TableModel(models.Table.random(4, 1)), PROMPT, 1
        ),
        UsageError,
        ("draft", "3", "4"),
    ),
    Bad(
        "a negative temperature",
        lambda _: decoding.speculative_sample(
            *[TableModel(models.Table.random(3, 1))] * 2, PROMPT, 1, temperature=-1.0
        ),
        UsageError,
        ("temperature", "-1.0"),
    ),
    Bad(
        "an unknown verification",
        lambda _: decoding.speculative_sample(
            *[TableModel(models.Table.random(3, 1))] * 2, PROMPT, 1, verification="trust"
        ),
        UsageError,
        ("verification", "trust"),
    ),
    Bad(
        "an end outside the vocabulary",
        lambda _: decoding.speculative_sample(*[TableModel(models.Table.random(3, 1))] * 2, PROMPT, 1, eos=9),
        UsageError,
        ("eos", "9"),
    ),
    Bad(
        "heads that are not there",
        lambda _: decoding.self_speculative(TableModel(models.Table.random(3, 1)), PROMPT, 1),
        UsageError,
        ("heads",),
    ),
    Bad(
        "Medusa without a tree",
        lambda _: decoding.medusa(TableModel(models.Table.random(3, 1)), PROMPT, 1, tree=[(0,)]),
        UsageError,
        ("tree",),
    ),
    Bad("a tree of negative ranks", lambda _: decoding.Tree([(-1,)]), UsageError, ("paths", "-1")),
    Bad("a tree of numbers", lambda _: decoding.Tree([3]), UsageError, ("paths", "3")),
    Bad("a tree of a number", lambda _: decoding.Tree(3), UsageError, ("paths", "3")),
    Bad(
        "acceptance of laws of other lengths",
        lambda _: decoding.acceptance_rate(HALF, np.array([1.0])),
        UsageError,
        ("draft", "1", "2"),
    ),
    Bad(
        "acceptance of a law of NaN",
        lambda _: decoding.acceptance_rate(np.array([NAN, 1]), HALF),
        UsageError,
        ("target", "nan"),
    ),
    Bad(
        "acceptance of a negative probability",
        lambda _: decoding.acceptance_rate(HALF, [1.5, -0.5]),
        UsageError,
        ("draft", "-0.5"),
    ),
    Bad("a distance of no law", lambda _: decoding.total_variation(3, {}), UsageError, ("3",)),
    Bad("a rate above 1", lambda _: decoding.independent_tokens(1.5, 2), UsageError, ("rate", "1.5")),
    Bad("a cost below 0", lambda _: decoding.walltime_factor(0.5, 2, -1), UsageError, ("cost", "-1")),
    Bad("a threshold of no law", lambda _: decoding.typical_threshold(None), UsageError, ("law",)),
    Bad(
        "typical tokens at a negative epsilon",
        lambda _: decoding.typical_tokens(HALF, epsilon=-1),
        UsageError,
        ("epsilon", "-1"),
    ),
    Bad(
        "accuracies of ranks of floats",
        lambda _: decoding.rank_accuracies(torch.zeros(1, 1), 1),
        UsageError,
        ("ranks",),
    ),
]

MEASURES = [
    Bad("no model", lambda _: measures.evaluate(None, TASK), UsageError, ("model", "None")),
    Bad("no task", lambda _: measures.evaluate(model(), None), UsageError, ("task", "None")),
    Bad("no questions", lambda _: measures.evaluate(model(), TASK, count=0), UsageError, ("count", "0")),
    Bad("more right than asked", lambda _: measures.confidence_interval(5, 3), UsageError, ("successes", "5", "3")),
    Bad("a level of 1", lambda _: measures.confidence_interval(1, 3, 1.0), UsageError, ("level", "1.0")),
    Bad("one seed", lambda _: measures.over_seeds([1.0]), UsageError, ("values", "1")),
    Bad("seeds of NaN", lambda _: measures.over_seeds([1.0, NAN]), UsageError, ("values", "nan")),
    Bad("compounded of nothing", lambda _: measures.compounded(None), UsageError, ("evaluation", "None")),
    Bad(
        "an intervention in no layer",
        lambda _: measures.intervene(
            model(), torch.zeros(1, 3, 3, dtype=torch.int64), layer=99, position=0, add=torch.zeros(1)
        ),
        UsageError,
        ("layer", "99"),
    ),
    Bad(
        "probes of other lengths",
        lambda _: measures.probe(model(), torch.zeros(2, 3, 3, dtype=torch.int64), torch.zeros(1, 3)),
        UsageError,
        ("features",),
    ),
    Bad("a passage of no training", lambda _: measures.first_passage(None), UsageError, ("result", "None")),
    Bad("bytes of nothing", lambda _: measures.peak_bytes(None), UsageError, ("run", "None")),
]
