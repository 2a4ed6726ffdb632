"""The share of the largest margin: 1 at W_mm, at most 1 anywhere, blind to scale and to the part on F."""

from __future__ import annotations

import pytest
import torch

from ntp_theory import margin_share, solve_svm
from ntp_theory.construct import tiny
from ntp_theory.errors import UsageError
from ntp_theory.margin.norms import as_norm
from ntp_theory.subspace import project, project_complement


@pytest.mark.parametrize("norm", ["frobenius", "max", "spectral"])
def test_share(norm):
    data = tiny()
    best = solve_svm(data, norm=norm)
    # the certified gap of the solver is what is known of the largest margin
    assert margin_share(best.direction, best) == pytest.approx(1.0, abs=1e-7)
    drawn = torch.randn(20, *best.direction.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for w in (*drawn, *(best.direction + 0.1 * drawn)):
        part = project_complement(w, data)
        margin = float(data.pattern.margins(data.embeddings @ part.T).min())
        expected = margin * best.norm / as_norm(norm).value(part)
        share = margin_share(w, best)
        assert share <= 1 + 1e-12 and share == pytest.approx(expected, rel=1e-7)
        assert margin_share(3 * w + project(drawn[0], data), best) == pytest.approx(share, rel=1e-9)
    assert margin_share(torch.zeros_like(best.direction), best) == 0.0


def test_refused():
    with pytest.raises(UsageError, match="solution is 1"):
        margin_share([[1.0]], 1)
    with pytest.raises(UsageError, match="shape"):
        margin_share([[1.0]], solve_svm(tiny()))
