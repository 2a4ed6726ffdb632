"""Faults put into norms, solver and bounds on purpose: the claims that rest on them must notice."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from ntp_theory import claims
from ntp_theory.claims.geometry import max_margin, modes
from ntp_theory.geometry import limit, newton, split
from ntp_theory.margin import program, solution
from ntp_theory.margin.norms import FROBENIUS, Norm


def bound_is_too_high(patch):
    original = solution.lower_bound
    patch(solution, "lower_bound", lambda *arguments: 1.001 * original(*arguments))


def bound_is_too_low(patch):
    original = solution.lower_bound
    patch(solution, "lower_bound", lambda *arguments: 0.999 * original(*arguments))


def direction_is_longer_than_it_need_be(patch):
    original = solution.SVMSolution.from_cone.__func__

    def longer(cls, *arguments):
        found = original(cls, *arguments)
        return replace(found, direction=1.001 * found.direction)

    patch(solution.SVMSolution, "from_cone", classmethod(longer))


def direction_falls_short_of_its_margins(patch):
    original = solution.SVMSolution.from_cone.__func__

    def shorter(cls, *arguments):
        found = original(cls, *arguments)
        return replace(found, direction=0.999 * found.direction)

    patch(solution.SVMSolution, "from_cone", classmethod(shorter))


def every_program_minimises_frobenius(patch):
    original = program.norm_expression
    patch(program, "norm_expression", lambda matrix, norm: original(matrix, FROBENIUS))


def signs_are_not_looked_at(patch):
    patch(max_margin, "_signs_fit", lambda mask: True)


def sum_of_entries_is_half(patch):
    original = Norm.value
    patch(Norm, "value", lambda norm, matrix: original(norm, matrix) * (0.5 if norm.name == "sum" else 1.0))


def offset_is_forgotten(patch):
    original = limit._next_terms
    patch(limit, "_next_terms", lambda *arguments: (0 * original(*arguments)[0], original(*arguments)[1]))


def slope_is_the_direction_of_the_logits(patch):
    original = newton._judged

    def turned(*arguments):
        found = original(*arguments)
        return replace(found, slope=found.logits / found.logits.norm() * found.slope.norm())

    patch(newton, "_judged", turned)


def solver_stops_early(patch):
    patch(newton, "LAST", 1e-4)


def finite_part_is_not_centred(patch):
    original = split.SplitLogits.__init__

    def plain(self, data):
        original(self, data)
        self.finite = self._log_p.masked_fill(~self._support, 0.0)

    patch(split.SplitLogits, "__init__", plain)


def modes_are_twice_as_fast(patch):
    original = modes.mode_strength
    patch(modes, "mode_strength", lambda level, delta, times: original(level, delta, 2 * torch.as_tensor(times)))


def flow_forgets_the_decoder(patch):
    original = modes.feature_flow
    patch(modes, "feature_flow", lambda g, w, h, times: original(g, 0 * w, h, times))


def decoders_always_fit(patch):
    patch(modes, "check_compatibility", lambda data: SimpleNamespace(compatible=True))


FAULTS = {
    offset_is_forgotten: ("geometry/gram-collapse",),
    slope_is_the_direction_of_the_logits: ("geometry/ufm-limit",),
    solver_stops_early: ("geometry/ufm-nuclear", "geometry/ufm-limit"),
    finite_part_is_not_centred: ("geometry/finite-part",),
    modes_are_twice_as_fast: ("geometry/saxe-dynamics",),
    flow_forgets_the_decoder: ("geometry/saxe-dynamics", "geometry/semantics"),
    decoders_always_fit: ("bias/nonlinear-extension",),
    bound_is_too_high: ("geometry/lmm", "geometry/svd-certificate", "geometry/symmetric"),
    bound_is_too_low: ("geometry/lmm", "geometry/svd-certificate", "geometry/defect-spectral-norm"),
    direction_is_longer_than_it_need_be: ("geometry/lmm", "geometry/symmetric", "geometry/defect-spectral-norm"),
    direction_falls_short_of_its_margins: ("geometry/lmm", "geometry/symmetric"),
    every_program_minimises_frobenius: ("geometry/defect-spectral-norm", "steepest/norm-order"),
    signs_are_not_looked_at: ("geometry/svd-certificate",),
    sum_of_entries_is_half: ("steepest/norm-order",),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_fault_is_noticed(fault, monkeypatch):
    claims.clear_cache()
    fault(monkeypatch.setattr)
    for label in FAULTS[fault]:
        assert [check for check in claims.check(label) if not check.holds], label
    claims.clear_cache()
