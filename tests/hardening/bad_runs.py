"""Gradient methods, flows and regularisation paths."""

from __future__ import annotations

import math

import torch

import ntp_theory as ntp
from ntp_theory import descent
from ntp_theory.errors import UsageError

from .bad import DATA, Bad

NAN, INF = math.nan, math.inf

DESCENT = [
    Bad("no data", lambda _: ntp.descend(None, steps=1), UsageError, ("data", "None", "NTPDataset")),
    Bad("an unknown method", lambda _: ntp.descend(DATA, "magic", steps=1), UsageError, ("method", "'magic'", "'gd'")),
    Bad("a class for a method", lambda _: ntp.descend(DATA, descent.Adam, steps=1), UsageError, ("method", "Adam")),
    Bad("a method that is none", lambda _: ntp.descend(DATA, None, steps=1), UsageError, ("method", "None")),
    Bad("steps in words", lambda _: ntp.descend(DATA, steps="many"), UsageError, ("steps", "many", "whole")),
    Bad("negative steps", lambda _: ntp.descend(DATA, steps=-1), UsageError, ("steps", "-1")),
    Bad("half a step", lambda _: ntp.descend(DATA, steps=0.5), UsageError, ("steps", "0.5")),
    Bad("steps of no length", lambda _: ntp.descend(DATA, steps=1, step_size=0.0), UsageError, ("step_size", "0.0")),
    Bad("steps of NaN length", lambda _: ntp.descend(DATA, steps=1, step_size=NAN), UsageError, ("step_size", "nan")),
    Bad("steps without end", lambda _: ntp.descend(DATA, steps=1, step_size=INF), UsageError, ("step_size", "inf")),
    Bad(
        "a start of another shape",
        lambda _: ntp.descend(DATA, steps=1, init=[[0.0]]),
        UsageError,
        ("init", "(1, 1)", "(3, 2)"),
    ),
    Bad(
        "a NaN start",
        lambda _: ntp.descend(DATA, steps=1, init=torch.full((3, 2), NAN)),
        UsageError,
        ("init[0, 0]", "nan"),
    ),
    Bad(
        "an unknown schedule",
        lambda _: ntp.descend(DATA, steps=1, record="sometimes"),
        UsageError,
        ("record", "sometimes"),
    ),
    Bad("records before the start", lambda _: ntp.descend(DATA, steps=3, record=[-1]), UsageError, ("record", "-1")),
    Bad("records after the end", lambda _: ntp.descend(DATA, steps=3, record=[9]), UsageError, ("record", "9")),
    Bad("a callback that is none", lambda _: ntp.descend(DATA, steps=1, callback=3), UsageError, ("callback", "3")),
    Bad(
        "a checkpoint without a name",
        lambda _: ntp.descend(DATA, steps=1, checkpoint=3),
        UsageError,
        ("checkpoint", "3", "path"),
    ),
    Bad(
        "checkpoints all the time, and more",
        lambda f: ntp.descend(DATA, steps=1, checkpoint=f / "a", checkpoint_every=-1),
        UsageError,
        ("checkpoint_every", "-1"),
    ),
    Bad("many on no data", lambda _: ntp.descend_many(None, steps=1), UsageError, ("datasets", "None")),
    Bad("many on one that is none", lambda _: ntp.descend_many([DATA, 3], steps=1), UsageError, ("datasets[1]", "3")),
    Bad(
        "many from too few starts",
        lambda _: ntp.descend_many([DATA, DATA], steps=1, init=[None]),
        UsageError,
        ("init", "1", "2"),
    ),
    Bad("Adam with a beta of 1", lambda _: descent.Adam(betas=(0.9, 1.0)), UsageError, ("betas", "1.0")),
    Bad("Adam with one beta", lambda _: descent.Adam(betas=0.9), UsageError, ("betas", "0.9")),
    Bad("Adam with a negative eps", lambda _: descent.Adam(eps=-1.0), UsageError, ("eps", "-1.0")),
    Bad("AdamW with NaN decay", lambda _: descent.AdamW(weight_decay=NAN), UsageError, ("weight_decay", "nan")),
    Bad("a ball of momentum 1", lambda _: descent.HeavyBall(momentum=1.0), UsageError, ("momentum", "1.0")),
    Bad(
        "batches of nothing", lambda _: descent.StochasticGradientDescent(batch_size=0), UsageError, ("batch_size", "0")
    ),
    Bad(
        "batches above the data, without repeats",
        lambda _: ntp.descend(DATA, descent.StochasticGradientDescent(batch_size=99, replace=False), steps=1),
        UsageError,
        ("batch_size", "99"),
    ),
    Bad("repeats by name", lambda _: descent.StochasticGradientDescent(replace="yes"), UsageError, ("replace", "yes")),
    Bad("a negative seed", lambda _: descent.StochasticGradientDescent(seed=-1), UsageError, ("seed", "-1")),
    Bad("Muon with a beta in words", lambda _: descent.Muon(beta="high"), UsageError, ("beta", "high")),
    Bad(
        "an optimiser that is none",
        lambda _: ntp.descend(DATA, descent.TorchOptimizer(dict), steps=1),
        UsageError,
        ("factory",),
    ),
    Bad(
        "an optimiser with an unknown setting",
        lambda _: ntp.descend(DATA, descent.TorchOptimizer(torch.optim.SGD, speed=1), steps=1),
        UsageError,
        ("speed",),
    ),
    Bad(
        "the smoothness of nothing",
        lambda _: descent.smoothness_bound(None),
        UsageError,
        ("data", "None", "NTPDataset"),
    ),
    Bad("records of no steps", lambda _: descent.recorded_steps("log", -1), UsageError, ("steps", "-1")),
]

FLOW = [
    Bad("no data", lambda _: ntp.flow(None, log_time=1.0), UsageError, ("data", "None", "NTPDataset")),
    Bad("time without end", lambda _: ntp.flow(DATA, log_time=INF), UsageError, ("log_time", "inf")),
    Bad("time in words", lambda _: ntp.flow(DATA, log_time="late"), UsageError, ("log_time", "late")),
    Bad("NaN time", lambda _: ntp.flow(DATA, log_time=NAN), UsageError, ("log_time", "nan")),
    Bad("no tolerance", lambda _: ntp.flow(DATA, log_time=1.0, tol=0.0), UsageError, ("tol", "0.0")),
    Bad("an unknown schedule", lambda _: ntp.flow(DATA, log_time=1.0, record="never"), UsageError, ("record", "never")),
    Bad("NaN moments", lambda _: ntp.flow(DATA, log_time=1.0, record=[NAN]), UsageError, ("record", "nan")),
    Bad("a start in words", lambda _: ntp.flow(DATA, log_time=1.0, init="zero"), UsageError, ("init", "matrix")),
    Bad(
        "a callback that is none",
        lambda _: ntp.flow(DATA, log_time=1.0, callback="tell me"),
        UsageError,
        ("callback", "tell me"),
    ),
]

PATHS = [
    Bad("no data", lambda _: ntp.regularization_path(None, radii=[1.0]), UsageError, ("data", "None", "NTPDataset")),
    Bad("neither balls nor ridges", lambda _: ntp.regularization_path(DATA), UsageError, ("radii", "ridge")),
    Bad("both", lambda _: ntp.regularization_path(DATA, radii=[1.0], ridge=[1.0]), UsageError, ("radii", "ridge")),
    Bad("no radii", lambda _: ntp.regularization_path(DATA, radii=[]), UsageError, ("radii", "empty")),
    Bad("a negative radius", lambda _: ntp.regularization_path(DATA, radii=[-1.0]), UsageError, ("radii", "-1.0")),
    Bad("a NaN radius", lambda _: ntp.regularization_path(DATA, radii=[NAN]), UsageError, ("radii", "nan")),
    Bad("radii in words", lambda _: ntp.regularization_path(DATA, radii="large"), UsageError, ("radii",)),
    Bad("no ridge", lambda _: ntp.regularization_path(DATA, ridge=[0.0]), UsageError, ("ridge", "0.0")),
    Bad(
        "an unknown norm",
        lambda _: ntp.regularization_path(DATA, radii=[1.0], norm="taxi"),
        UsageError,
        ("norm", "taxi"),
    ),
    Bad("no tolerance", lambda _: ntp.regularization_path(DATA, radii=[1.0], tol=0.0), UsageError, ("tol", "0.0")),
]
