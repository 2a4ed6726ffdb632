"""Planning, several tokens ahead, geometry, attention, readings, trained models, figures."""

from __future__ import annotations

import math

import numpy as np
import torch

from ntp_theory import NTPDataset, attention, bridge, figures, geometry, multitoken, planning, readings
from ntp_theory.errors import CheckpointError, DatasetError, UsageError
from ntp_theory.multitoken import MarkovChain
from ntp_theory.sequence import training

from .bad import DATA, TASK, Bad, limit, model, run

NAN, INF = math.nan, math.inf
W = [[0.0, 0.0]] * 3
JOINT = [[0.5, 0.0], [0.0, 0.5]]
PROBLEM = planning.PositionRegression.random(2, 2, 5)
SENTENCES = attention.TokenSequences([[0, 1], [1, 0]], [0, 1], vocab_size=2)
CHOICE = attention.TokenSelection.random(2, 3, 2)
COUNTS = NTPDataset.from_counts([[1.0]], [[1, 0]])
FREE = geometry.UnconstrainedFeatures.of(DATA)

PLANNING = [
    Bad("features in words", lambda _: planning.PositionRegression("x", [[1.0]]), DatasetError, ("features",)),
    Bad(
        "features of NaN",
        lambda _: planning.PositionRegression(np.full((5, 2, 2, 2), NAN), np.zeros((5, 2))),
        DatasetError,
        ("features", "nan"),
    ),
    Bad(
        "targets of another shape",
        lambda _: planning.PositionRegression(np.zeros((5, 2, 2, 2)), np.zeros((1, 1))),
        DatasetError,
        ("targets",),
    ),
    Bad("no positions", lambda _: planning.PositionRegression.random(0, 2, 5), UsageError, ("positions", "0")),
    Bad(
        "a coupling of NaN",
        lambda _: planning.PositionRegression.random(2, 2, 5, coupling=NAN),
        UsageError,
        ("coupling", "nan"),
    ),
    Bad(
        "noise in words",
        lambda _: planning.PositionRegression.random(2, 2, 5, noise="some"),
        UsageError,
        ("noise", "some"),
    ),
    Bad("losses at NaN", lambda _: PROBLEM.losses(np.full((2, 2), NAN)), DatasetError, ("theta", "nan")),
    Bad("losses at another shape", lambda _: PROBLEM.losses([1.0]), DatasetError, ("theta",)),
    Bad("a prediction of no problem", lambda _: planning.predict(None), UsageError, ("problem", "None")),
    Bad(
        "a prediction for steps of no length",
        lambda _: planning.predict(PROBLEM, 0.0),
        UsageError,
        ("step_size", "0.0"),
    ),
    Bad("a descent on no problem", lambda _: planning.myopic_descent(3, steps=1), UsageError, ("problem", "3")),
    Bad(
        "a descent of half a step", lambda _: planning.myopic_descent(PROBLEM, steps=0.5), UsageError, ("steps", "0.5")
    ),
    Bad(
        "a start of another shape",
        lambda _: planning.myopic_descent(PROBLEM, steps=1, start=[1.0]),
        DatasetError,
        ("start",),
    ),
    Bad("a comparison of no run", lambda _: planning.compare(None, None), UsageError, ("run", "None", "MyopicRun")),
    Bad(
        "a logistic problem without ridge",
        lambda _: planning.logistic(np.zeros((5, 2, 2, 2)), np.ones((5, 2)), ridge=0.0),
        UsageError,
        ("ridge", "0.0"),
    ),
]

MULTITOKEN = [
    Bad("the entropy of words", lambda _: multitoken.entropy("abc"), DatasetError, ("law",)),
    Bad("the entropy of nothing", lambda _: multitoken.entropy([]), DatasetError, ("law",)),
    Bad("the entropy of NaN", lambda _: multitoken.entropy([NAN, 1.0]), DatasetError, ("law", "nan")),
    Bad("the entropy of what sums to more", lambda _: multitoken.entropy([0.9, 0.9]), DatasetError, ("law", "1.8")),
    Bad("the entropy of negative numbers", lambda _: multitoken.entropy([1.5, -0.5]), DatasetError, ("law", "-0.5")),
    Bad(
        "a cross-entropy of other lengths",
        lambda _: multitoken.cross_entropy([1.0], [0.5, 0.5]),
        DatasetError,
        ("model",),
    ),
    Bad("the information of a vector", lambda _: multitoken.mutual_information([1.0]), DatasetError, ("joint", "(1,)")),
    Bad("a decomposition by another shape", lambda _: multitoken.decompose(JOINT, [[1.0]]), DatasetError, ("model",)),
    Bad(
        "a chain that does not sum",
        lambda _: MarkovChain.of([[0.5, 0.4], [0.5, 0.5]]),
        DatasetError,
        ("transitions", "0.9"),
    ),
    Bad("a chain that is not square", lambda _: MarkovChain.of([[0.5, 0.5]]), DatasetError, ("transitions",)),
    Bad("a chain of NaN", lambda _: MarkovChain.of([[NAN, 1.0], [0.5, 0.5]]), DatasetError, ("transitions", "nan")),
    Bad("a chain of no tokens", lambda _: MarkovChain.from_tokens([]), DatasetError, ("tokens",)),
    Bad("a chain of words", lambda _: MarkovChain.from_tokens(["a", "b", "a"]), DatasetError, ("tokens",)),
    Bad("a chain of order 0", lambda _: MarkovChain.from_tokens([0, 1, 0], order=0), UsageError, ("order", "0")),
    Bad("the law of head 0", lambda _: MarkovChain.of([[0.5, 0.5], [0.5, 0.5]]).head_law(0), UsageError, ("head", "0")),
    Bad(
        "a sample of no length",
        lambda _: MarkovChain.of([[0.5, 0.5], [0.5, 0.5]]).sample(0),
        UsageError,
        ("length", "0"),
    ),
    Bad(
        "data of no heads",
        lambda _: multitoken.multi_token_datasets([["a", "b", "c"]], 0),
        UsageError,
        ("num_heads", "0"),
    ),
    Bad("data of no sequences", lambda _: multitoken.multi_token_datasets([], 2), DatasetError, ("sequences",)),
    Bad("data of a number", lambda _: multitoken.multi_token_datasets(3, 2), UsageError, ("sequences", "3")),
    Bad("supports of no data", lambda _: multitoken.lost_support([None]), UsageError, ("datasets[0]", "None")),
    Bad("choices of no heads", lambda _: multitoken.choice_terms(0), UsageError, ("num_heads", "0")),
    Bad(
        "predictions of no trajectory",
        lambda _: multitoken.wrong_predictions(None, [], 2),
        UsageError,
        ("taken", "None"),
    ),
]

GEOMETRY = [
    Bad(
        "features of no data",
        lambda _: geometry.UnconstrainedFeatures.of(None),
        UsageError,
        ("data", "None", "NTPDataset"),
    ),
    Bad(
        "rows that do not sum",
        lambda _: geometry.UnconstrainedFeatures([[0.5, 0.4]]),
        DatasetError,
        ("probabilities", "0.9"),
    ),
    Bad("no ridge", lambda _: FREE.solve(0.0), UsageError, ("ridge", "0")),
    Bad("a ridge of NaN", lambda _: FREE.solve([NAN]), UsageError, ("ridge", "nan")),
    Bad("a ridge in words", lambda _: FREE.solve("small"), UsageError, ("ridge", "small")),
    Bad("no tolerance", lambda _: FREE.solve(0.1, tol=0.0), UsageError, ("tol", "0.0")),
    Bad("an objective of other shapes", lambda _: FREE.objective([[0.0]], [[0.0]], 0.1), UsageError, ("decoder",)),
    Bad("factors of words", lambda _: geometry.balanced_factors("x"), UsageError, ("logits",)),
    Bad("factors in too few dimensions", lambda _: geometry.balanced_factors(np.eye(3), 1), UsageError, ("dim", "1")),
    Bad("Gram matrices of NaN", lambda _: geometry.gram_matrices([[NAN]]), UsageError, ("logits", "nan")),
    Bad("collapse of no groups", lambda _: geometry.collapse(np.eye(3), []), UsageError, ("groups",)),
    Bad("collapse of groups outside", lambda _: geometry.collapse(np.eye(3), [[9]]), UsageError, ("groups", "9")),
    Bad("a mode below zero", lambda _: geometry.half_time(-1.0, 0.1), UsageError, ("level", "-1.0")),
    Bad("a mode from nowhere", lambda _: geometry.switch_time(1.0, -1.0), UsageError, ("delta", "-1.0")),
    Bad("the strength at NaN", lambda _: geometry.mode_strength(1.0, 0.1, [NAN]), UsageError, ("times", "nan")),
    Bad(
        "a flow of nothing callable",
        lambda _: geometry.feature_flow(3, np.eye(2), np.eye(2), [1.0]),
        UsageError,
        ("gradient", "3"),
    ),
    Bad(
        "a spectral start of NaN",
        lambda _: geometry.spectral_start(np.full((2, 2), NAN), 0.1, rng=0),
        UsageError,
        ("target", "nan"),
    ),
    Bad("supports of no data", lambda _: geometry.centred_supports(None), UsageError, ("data", "None")),
    Bad("equal supports of a path", lambda _: geometry.equal_supports("a.npz"), UsageError, ("data", "a.npz")),
    Bad("the gradient of no data", lambda _: geometry.cross_entropy_gradient(None), UsageError, ("data", "None")),
]

ATTENTION = [
    Bad("no sequences", lambda _: attention.TokenSequences([], []), DatasetError, ("inputs",)),
    Bad("sequences of words", lambda _: attention.TokenSequences([["a"]], [0]), UsageError, ("inputs",)),
    Bad(
        "labels outside the input", lambda _: attention.TokenSequences([[0, 1]], [5]), DatasetError, ("labels[0]", "5")
    ),
    Bad("negative tokens", lambda _: attention.TokenSequences([[-1, 0]], [0]), UsageError, ("inputs", "-1")),
    Bad(
        "weights of NaN", lambda _: attention.TokenSequences([[0, 1]], [0], [NAN]), DatasetError, ("weights[0]", "nan")
    ),
    Bad("a prediction of no data", lambda _: attention.predict(None), UsageError, ("data", "None")),
    Bad("a flow without end", lambda _: attention.flow(SENTENCES, log_time=INF), UsageError, ("log_time", "inf")),
    Bad("a descent of no steps", lambda _: attention.descend(SENTENCES, steps=-1), UsageError, ("steps", "-1")),
    Bad("a descent on a list", lambda _: attention.descend([[0, 1]], steps=1), UsageError, ("data",)),
    Bad("a comparison of no run", lambda _: attention.compare(None, None), UsageError, ("run",)),
    Bad("graphs of no data", lambda _: attention.priority_graphs(None), UsageError, ("data", "None")),
    Bad(
        "selection from NaN",
        lambda _: attention.TokenSelection(np.full((2, 3, 2), NAN), np.zeros((2, 2)), np.zeros((2, 3))),
        DatasetError,
        ("tokens", "nan"),
    ),
    Bad(
        "selection by another shape",
        lambda _: attention.TokenSelection(np.zeros((2, 3, 2)), np.zeros((1, 2)), np.zeros((2, 3))),
        DatasetError,
        ("queries",),
    ),
    Bad("an unknown method", lambda _: attention.select(CHOICE, "magic", steps=1), UsageError, ("method", "magic")),
    Bad("a selection from no data", lambda _: attention.select(None, steps=1), UsageError, ("data", "None")),
    Bad("a selection of rank 0", lambda _: attention.select(CHOICE, steps=1, rank=0), UsageError, ("rank", "0")),
    Bad("an SVM of no data", lambda _: attention.solve_selection(None), UsageError, ("data", "None")),
    Bad("an SVM of tokens outside", lambda _: attention.solve_selection(CHOICE, [9, 9]), UsageError, ("selected", "9")),
    Bad("collocations of no tokens", lambda _: attention.collocation_data([]), DatasetError, ("next_tokens",)),
    Bad("stages of one number", lambda _: attention.two_stages(SENTENCES, [1, 0], steps=5), UsageError, ("steps", "5")),
]

READINGS = [
    Bad("exclusions of no data", lambda _: readings.exclusions(None), UsageError, ("data", "None")),
    Bad("exclusions after no context", lambda _: readings.exclusions(COUNTS).after(99), UsageError, ("context", "99")),
    Bad("log-odds of another shape", lambda _: readings.log_odds([[0.0]], DATA), UsageError, ("weights", "(1, 1)")),
    Bad("log-odds on no data", lambda _: readings.log_odds(W, None), UsageError, ("data", "None")),
    Bad("tolerance on no data", lambda _: readings.noise_tolerance(W, None), UsageError, ("data", "None")),
    Bad(
        "tolerance to unknown noise",
        lambda _: readings.noise_tolerance(limit().direction, DATA, noise="loud"),
        UsageError,
        ("noise", "loud"),
    ),
    Bad(
        "tolerance of a NaN decoder",
        lambda _: readings.noise_tolerance([[NAN, 0.0]] * 3, DATA),
        UsageError,
        ("weights[0, 0]", "nan"),
    ),
    Bad("flips of no tolerance", lambda _: readings.flip_rate(None, 1.0), UsageError, ("tolerance", "None")),
    Bad(
        "flips at a negative size",
        lambda _: readings.flip_rate(readings.noise_tolerance(limit().direction, DATA), -1.0),
        UsageError,
        ("size", "-1.0"),
    ),
    Bad(
        "flips in no draws",
        lambda _: readings.flip_rate(readings.noise_tolerance(limit().direction, DATA), 1.0, draws=0),
        UsageError,
        ("draws", "0"),
    ),
    Bad("bounds on flips of no tolerance", lambda _: readings.flip_bounds(3, 1.0), UsageError, ("tolerance", "3")),
    Bad("caps in one dimension", lambda _: readings.cap_share(torch.zeros(1), 1.0, 0), UsageError, ("dim", "0")),
    Bad("groups of no data", lambda _: readings.token_groups(None), UsageError, ("data", "None")),
    Bad(
        "the rank of nothing callable",
        lambda _: readings.jacobian_rank(None, torch.zeros(1)),
        UsageError,
        ("logits", "None"),
    ),
    Bad("the rank at a list", lambda _: readings.jacobian_rank(lambda p: p, [1.0]), UsageError, ("parameters",)),
    Bad("a ceiling on no data", lambda _: readings.radius_ceiling(None), UsageError, ("data", "None")),
]

BRIDGE = [
    Bad("the accuracy on no data", lambda _: bridge.accuracy(W, None), UsageError, ("data", "None")),
    Bad("the head of no model", lambda _: bridge.head_weights(None), UsageError, ("model", "None")),
    Bad("the last layer of no model", lambda _: bridge.last_layer(None, DATA), UsageError, ("model", "None")),
    Bad(
        "features of no model",
        lambda _: bridge.text_features(None, torch.zeros(9, dtype=torch.int64), context_length=2),
        UsageError,
        ("model", "None"),
    ),
    Bad(
        "features of words",
        lambda _: bridge.text_features(model(), ["to", "be"], context_length=2),
        UsageError,
        ("tokens",),
    ),
    Bad("features of another task", lambda _: bridge.exact_features(model(), TASK), UsageError, ("task",)),
    Bad(
        "features of no batch",
        lambda _: bridge.features_dataset(model(), TASK, training.TeacherForcing(), None),
        UsageError,
        ("batch", "None"),
    ),
    Bad("frozen features of no data", lambda _: bridge.train_frozen(None, W), UsageError, ("data", "None")),
    Bad(
        "a frozen head of another shape", lambda _: bridge.train_frozen(DATA, [[0.0]]), UsageError, ("(1, 1)", "(3, 2)")
    ),
    Bad("a frozen run of no steps", lambda _: bridge.train_frozen(DATA, W, steps=0), UsageError, ("steps", "0")),
    Bad(
        "training along no task",
        lambda _: bridge.along_training(model(), None, steps=1, every=1),
        UsageError,
        ("task", "None"),
    ),
    Bad(
        "training along never",
        lambda _: bridge.along_training(model(), TASK, steps=1, every=0, batch=TASK.sample(2)),
        UsageError,
        ("every", "0"),
    ),
    Bad(
        "the Jacobian of no model",
        lambda _: bridge.model_jacobian_rank(None, torch.zeros(1, 1)),
        UsageError,
        ("model", "None"),
    ),
]

FIGURES = [
    Bad("the loss of no run", lambda _: figures.loss(None), UsageError, ("trajectory", "None")),
    Bad("the norm without a limit", lambda _: figures.norm(run(), None), UsageError, ("limit", "None")),
    Bad("a picture of nothing", lambda _: figures.png(None), UsageError, ("ax", "None")),
    Bad("a picture at no resolution", lambda _: figures.png(figures.loss(run()), dpi=0), UsageError, ("dpi", "0")),
    Bad(
        "a picture onto a folder",
        lambda f: figures.save(figures.loss(run()), f),
        CheckpointError,
        ("cannot be written", "directory"),
    ),
]
