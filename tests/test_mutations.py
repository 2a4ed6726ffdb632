"""Faults put into the library on purpose: each must make a claim fail; a check that cannot fail is worth nothing."""

from __future__ import annotations

import math
import sys
from dataclasses import replace

import pytest
import torch

from ntp_theory import asymptotics, claims, cli, cone, elimination, finite_part, loss
from ntp_theory.conditions import FarkasCertificate, Separability, check_separability, compatibility
from ntp_theory.dataset import NTPDataset
from ntp_theory.descent import GradientDescent, smoothness_bound
from ntp_theory.margin import solve_svm
from ntp_theory.softmax import SoftmaxResidual
from ntp_theory.subspace import DataSubspace


class Fault:
    """Replaces functions wherever the library holds them, and attributes of classes and modules."""

    def __init__(self, monkeypatch):
        self.attribute = monkeypatch.setattr

    def function(self, original, change):
        """Put ``change(original, *arguments)`` in the place of a function."""

        def faulty(*arguments, **options):
            return change(original, *arguments, **options)

        for name, module in list(sys.modules.items()):
            if name.split(".")[0] == "ntp_theory":
                for key, value in list(vars(module).items()):
                    if value is original:
                        self.attribute(module, key, faulty)

    def method(self, owner, name, change):
        original = getattr(owner, name)
        self.attribute(owner, name, lambda *arguments, **options: change(original, *arguments, **options))


FAULTS = {}


def fault(*labels):
    """Register a fault with the claims that must notice it."""

    def register(inject):
        FAULTS[inject.__name__] = (inject, labels)
        return inject

    return register


@fault("bias/loss", "bias/theorem-1-boundary")
def gradient_has_the_wrong_sign(to):
    for function in (loss.gradient, loss.unchecked_gradient):
        to.function(function, lambda f, w, data: -f(w, data))


@fault("bias/loss", "bias/theorem-1-boundary")
def tail_of_the_gradient_has_the_wrong_sign(to):
    def flipped(f, weights, data):
        parts = loss.gradient_parts(weights, data)
        return parts.in_support - math.exp(parts.log_scale) * parts.tail

    to.function(loss.gradient, flipped)


@fault("bias/tail-exact")
def separate_tail_has_the_wrong_sign(to):
    to.function(loss.gradient_parts, lambda f, w, data: replace(p := f(w, data), tail=-p.tail))


@fault("bias/split", "bias/auxiliary-loss")
def tail_of_the_loss_is_off_by_a_thousandth(to):
    def off(f, weights, data):
        parts = f(weights, data)
        return replace(parts, tail=1.001 * parts.tail, log_tail=parts.log_tail + 1e-3)

    to.function(loss.evaluate, off)


@fault("bias/entropy-floor", "bias/split")
def divergence_loses_its_second_order_term(to):
    to.function(loss.exp_minus_1_minus_x, lambda f, x: f(x) - x**3 / 6)


@fault("bias/entropy-floor")
def entropy_is_in_bits(to):
    original = NTPDataset.entropy.func
    to.attribute(NTPDataset, "entropy", property(lambda data: original(data) / math.log(2)))


@fault("bias/svm-structure", "bias/sharp-gd-expansion")
def direction_is_one_percent_too_long(to):
    def longer(f, *arguments, **options):
        found = f(*arguments, **options)
        return replace(found, direction=1.01 * found.direction)

    to.function(solve_svm, longer)


@fault("bias/svm-structure", "bias/one-hot")
def direction_is_one_percent_astray(to):
    def astray(f, *arguments, **options):
        found = f(*arguments, **options)
        noise = torch.randn(found.direction.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        return replace(found, direction=found.direction + 0.01 * found.direction.norm() * noise / noise.norm())

    to.function(solve_svm, astray)


@fault("bias/sharp-gd-expansion", "bias/one-hot")
def multipliers_are_one_percent_too_large(to):
    def larger(f, *arguments, **options):
        found = f(*arguments, **options)
        return replace(found, duals=1.01 * found.duals)

    to.function(solve_svm, larger)


@fault("bias/definition-1", "bias/lemma-4")
def finite_part_is_one_percent_off(to):
    def off(f, *arguments):
        weights, misfit = f(*arguments)
        return 1.01 * weights, misfit

    to.method(DataSubspace, "interpolate", off)


@fault("bias/data-subspace")
def projection_is_the_identity(to):
    to.method(DataSubspace, "project", lambda f, space, weights: torch.as_tensor(weights))


@fault("bias/data-subspace")
def projection_is_on_the_complement(to):
    to.method(DataSubspace, "project", lambda f, space, weights: torch.as_tensor(weights) - f(space, weights))


@fault("bias/data-subspace", "bias/compatibility-count")
def nearly_everything_counts_as_dependent(to):
    to.attribute(elimination, "DEPENDENCE", 0.9)


@fault("bias/definition-2", "bias/remark-1")
def separability_is_the_other_way_round(to):
    def flipped(f, data, **options):
        answer = f(data, **options)
        return Separability(not answer.separable, answer.direction, answer.margin, answer.certificate, answer.data)

    to.function(check_separability, flipped)


@fault("bias/definition-2")
def entry_of_the_farkas_vector_is_wrong(to):
    original = FarkasCertificate.from_matrix.__func__

    def changed(cls, multipliers, data):
        found = original(cls, multipliers, data)
        found.coefficients[0] *= 1.01
        return found

    to.attribute(FarkasCertificate, "from_matrix", classmethod(changed))


@fault("bias/definition-1", "bias/compatibility-exact")
def contradictions_are_overlooked(to):
    to.attribute(compatibility, "TOLERANCE", 10.0)


@fault("bias/sharp-gd-expansion")
def finite_constant_has_the_wrong_sign(to):
    to.function(asymptotics.finite_constant, lambda f, *arguments: -f(*arguments))


@fault("bias/lemma-4", "bias/sharp-gd-expansion")
def hessian_forgets_the_mean(to):
    to.method(
        finite_part.InSupportLoss,
        "hessian_product",
        lambda f, self, p, direction: f(self, p, direction) * 1.01,
    )


@fault("bias/lemma-2")
def residual_has_the_wrong_sign(to):
    def flipped(f, residual, logits):
        f(residual, logits)
        logits *= -1

    to.method(SoftmaxResidual, "__call__", flipped)


@fault("bias/lemma-2")
def step_is_two_percent_too_long(to):
    def longer(f, method, state):
        after = f(method, replace(state, step_size=1.02 * state.step_size))
        return replace(after, step_size=state.step_size)

    to.method(GradientDescent, "step", longer)


@fault("bias/smoothness")
def smoothness_bound_is_half(to):
    to.function(smoothness_bound, lambda f, data: f(data) / 2)


@fault("svm/dual")
def threshold_of_the_cone_is_off(to):
    class Off(cone.Cone):
        def project(self, matrix, start=None):
            found, thresholds = super().project(matrix, start)
            return found + 1e-6 * self._support, thresholds

    to.attribute(sys.modules["ntp_theory.claims.bias.svm"], "Cone", Off)  # the solvers would not end


@pytest.fixture
def to(monkeypatch):
    claims.clear_cache()
    yield Fault(monkeypatch)
    claims.clear_cache()


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_noticed(name, to):
    inject, labels = FAULTS[name]
    inject(to)
    for label in labels:
        assert [check for check in claims.check(label, "quick") if not check.holds], label


def test_every_label_noticed_holds_without_a_fault():
    for label in {label for _, labels in FAULTS.values() for label in labels}:
        assert all(check.holds for check in claims.check(label, "quick")), label


def test_verification_reports_a_fault(to, tmp_path, capsys):
    words = ["verify", "--paper", "bias", "--budget", "quick", "--label", "bias/theorem-1-boundary"]
    assert cli.main([*words, "--out", str(tmp_path)]) == 0
    gradient_has_the_wrong_sign(to)
    assert cli.main(words) == 1
    assert "FAILS  bias/theorem-1-boundary" in capsys.readouterr().out
