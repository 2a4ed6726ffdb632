"""Faults put into methods, flow, paths and predictions on purpose: the claims on dynamics must notice."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ntp_theory import claims
from ntp_theory.claims.bias import definitions as define
from ntp_theory.claims.bias import flows, regularization
from ntp_theory.claims.bias.shared import lemma5, read
from ntp_theory.claims.classical import rates
from ntp_theory.claims.steepest import shared
from ntp_theory.descent import GrowingStepDescent, NormalisedGradientDescent, SignDescent, SpectralDescent, descend
from ntp_theory.errors import UsageError
from ntp_theory.plateau import Plateau


def sign_descent_forgets_small_entries(patch):
    original = SignDescent._direction
    patch(SignDescent, "_direction", lambda method, gradient, data: original(method, gradient, data).clamp(min=-0.9))


def spectral_steps_are_rows_of_length_one(patch):
    patch(
        SpectralDescent,
        "_direction",
        lambda method, gradient, data: torch.nn.functional.normalize(gradient.rows.T @ data.embeddings),
    )


def steepest_descent_goes_up(patch):
    for method in (SignDescent, SpectralDescent):
        original = method._direction
        patch(method, "_direction", lambda self, gradient, data, f=original: -f(self, gradient, data))


def proxy_is_a_tenth(patch):
    original = shared.Point.at.__func__

    def smaller(cls, *arguments):
        found = original(cls, *arguments)
        return found._replace(proxy=0.1 * found.proxy)

    patch(shared.Point, "at", classmethod(smaller))


def gradient_is_ten_times_as_long(patch):
    original = shared.Point.at.__func__

    def longer(cls, *arguments):
        found = original(cls, *arguments)
        return found._replace(gradient=10 * found.gradient)

    patch(shared.Point, "at", classmethod(longer))


def margins_are_a_fifth(patch):
    original = define.smallest_margin
    patch(define, "smallest_margin", lambda *arguments: 0.2 * original(*arguments))


def normalised_steps_are_too_short(patch):
    original = NormalisedGradientDescent.step

    def shorter(method, state):
        after = original(method, state)
        return replace(after, weights=state.weights + 0.9 * (after.weights - state.weights))

    patch(NormalisedGradientDescent, "step", shorter)


def plateau_is_higher(patch):
    original = Plateau.radius
    patch(Plateau, "radius", lambda plateau, *arguments: 1.05 * original(plateau, *arguments))


def flow_is_late(patch):
    def late(f):
        def run(*arguments, **options):
            found = f(*arguments, **options)
            return replace(found, log_derivative=1.01 * found.log_derivative)

        return run

    patch(flows, "flow", late(flows.flow))
    patch(rates, "flow", late(rates.flow))


def paths_are_one_percent_too_short(patch):
    original = regularization.regularization_path

    def short(*arguments, **options):
        found = original(*arguments, **options)
        return replace(found, weights=0.99 * found.weights)

    patch(regularization, "regularization_path", short)


def growing_steps_do_not_grow(patch):
    original = GrowingStepDescent.step
    patch(GrowingStepDescent, "step", lambda method, state: original(method, replace(state, rate=state.rate * 1e-3)))


FAULTS = {
    sign_descent_forgets_small_entries: ("steepest/setting",),
    spectral_steps_are_rows_of_length_one: ("steepest/setting",),
    steepest_descent_goes_up: ("steepest/descent", "steepest/theorem-1"),
    margins_are_a_fifth: ("steepest/lemma-5", "classical/lyu-li"),
    proxy_is_a_tenth: ("steepest/proxy", "steepest/lemma-3"),
    gradient_is_ten_times_as_long: ("steepest/lemma-3",),
    normalised_steps_are_too_short: ("bias/ngd-plateau", "classical/nacson", "steepest/setting"),
    plateau_is_higher: ("bias/ngd-plateau",),
    flow_is_late: ("bias/log-time-flow", "classical/soudry"),
    paths_are_one_percent_too_short: ("bias/ridge-path", "bias/theorem-1"),
    growing_steps_do_not_grow: ("classical/primal-dual",),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_noticed(fault, monkeypatch):
    claims.clear_cache()
    fault(monkeypatch.setattr)
    for label in FAULTS[fault]:
        assert [check for check in claims.check(label) if not check.holds], label
    claims.clear_cache()


def test_a_law_that_was_not_read_is_an_error():
    limit = lemma5()
    with pytest.raises(UsageError, match="bias/ngd-plateau was not read: plateau not read"):
        read(descend(limit.data, "ngd", steps=10), limit, "bias/ngd-plateau")
