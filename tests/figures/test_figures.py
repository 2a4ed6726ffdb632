"""Figures draw what was measured and what is predicted, on the axes they are given, and leave no trace elsewhere."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from ntp_theory import construct, figures, loss, subspace
from ntp_theory.compare import compare
from ntp_theory.conditions import extended_support
from ntp_theory.construct import designed
from ntp_theory.descent import descend
from ntp_theory.errors import UsageError
from ntp_theory.figures.style import ORANGE
from ntp_theory.predict import predict

DATA = construct.tiny()
LIMIT = predict(DATA)
RUN = descend(DATA, steps=300)
PANELS = (figures.loss, figures.norm, figures.alignment, figures.distance)


def dots(ax, number=0):
    line = [line for line in ax.lines if line.get_marker() == "o"][number]
    return line.get_xdata(), line.get_ydata()


def curves(ax):
    return [line for line in ax.lines if line.get_color() == ORANGE]


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.__name__)
def test_given_axes_are_used_and_the_style_is_put_back(panel) -> None:
    before = dict(matplotlib.rcParams)
    ax = Figure().subplots()
    assert panel(RUN, LIMIT, ax) is ax
    assert dict(matplotlib.rcParams) == before
    assert ax.get_xlabel() and ax.get_ylabel() and ax.get_title(loc="left")


def test_dots_are_the_run() -> None:
    k = RUN.times[1:].numpy()
    expected = {
        figures.loss: DATA.entropy + RUN.gap[1:],
        figures.norm: RUN.norm[1:],
        figures.distance: [float((subspace.project(w, DATA) - LIMIT.finite).norm()) for w in RUN.weights[1:]],
    }
    for panel, values in expected.items():
        x, y = dots(panel(RUN, LIMIT))
        np.testing.assert_array_equal(x, k)
        np.testing.assert_allclose(y, values, rtol=1e-14)
    ax = figures.alignment(RUN, LIMIT)
    for number, shift in enumerate((0.0, LIMIT.finite)):
        cosines = [
            float(torch.cosine_similarity((w - shift).flatten(), LIMIT.direction.flatten(), dim=0))
            for w in RUN.weights[1:]
        ]
        np.testing.assert_allclose(dots(ax, number)[1], cosines, rtol=1e-12)


def test_lines_are_the_laws() -> None:
    eta = RUN.step_size
    ax = figures.loss(RUN, LIMIT)
    [law] = curves(ax)
    k = law.get_xdata()
    np.testing.assert_allclose(law.get_ydata(), LIMIT.infimum + LIMIT.loss_constant / (eta * k), rtol=1e-14)
    [inset] = ax.child_axes
    excess = [loss.evaluate(w, DATA).gap for w in RUN.weights[1:]]
    np.testing.assert_allclose(dots(inset)[1], excess, rtol=1e-14)
    [law] = curves(figures.distance(RUN, LIMIT))
    constant = float(LIMIT.finite_constant.norm())
    np.testing.assert_allclose(law.get_ydata() * eta * law.get_xdata(), constant, rtol=1e-14)
    [law] = curves(figures.norm(RUN, LIMIT))
    np.testing.assert_allclose(
        law.get_ydata(), [float(LIMIT.decoder(k, eta).norm()) for k in law.get_xdata()], rtol=1e-14
    )


def test_what_does_not_diverge_has_no_direction() -> None:
    data = designed("full-support").data
    run, limit = descend(data, steps=10), predict(data)
    for panel in (figures.norm, figures.alignment):
        with pytest.raises(UsageError, match="direction is None"):
            panel(run, limit)
    assert curves(figures.loss(run, limit)) == [] == curves(figures.distance(run, limit))


def test_incompatible_data_shows_its_infimum() -> None:
    data = construct.sep_incompat()
    run, limit = descend(data, steps=50), predict(data)
    labels = [text.get_text() for text in figures.loss(run, limit).get_legend().get_texts()]
    assert "predicted infimum" in labels
    assert compare(run, limit).holds
    labels = [text.get_text() for text in figures.loss(RUN, LIMIT).get_legend().get_texts()]
    assert "predicted infimum" not in labels


def test_loss_without_a_prediction() -> None:
    data = designed("overlap").data
    ax = figures.loss(descend(data, steps=10))
    assert curves(ax) == []
    assert len(ax.get_legend().get_texts()) == 2


def test_toy_has_an_arrow_a_word_and_joint_names() -> None:
    limit = predict(construct.toy())
    left, right = figures.toy_figure(limit)
    words = {text.get_text() for text in left.texts} - {"", "A", "B", "C"}
    assert words == {"1, 5", "2", "3", "4"}
    assert {text.get_text() for text in right.texts} - {"", "A", "B", "C"} == {"1", "2", "3", "4", "5"}
    scale = float(left.get_xlabel().split("x ")[-1])
    ends = [text.xy for text in left.texts if text.get_text() == ""]
    rows = limit.direction[[0, 1, 2, 3]].numpy() * scale
    np.testing.assert_allclose(ends, rows, rtol=5e-3)  # the scale is printed with three digits


def test_only_the_plane_can_be_drawn() -> None:
    with pytest.raises(UsageError, match="d = 8; only d = 2"):
        figures.embeddings(LIMIT.direction, DATA)
    with pytest.raises(UsageError, match="direction is None"):
        figures.toy_figure(predict(designed("full-support").data))


def test_files_are_pictures(tmp_path: Path) -> None:
    axes = figures.four_panels(RUN, LIMIT)
    assert len(axes) == 4
    path = figures.save(axes[2], tmp_path / "new" / "a.png", dpi=50)
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    assert (width, height) == (420, 310)


def test_matplotlib_is_imported_by_drawing_only() -> None:
    code = (
        "import sys, ntp_theory.cli, ntp_theory.figures as f\n"
        "assert not [m for m in sys.modules if m.startswith('matplotlib')]\n"
        "from ntp_theory import construct, descend\n"
        "f.png(f.loss(descend(construct.tiny(), steps=3)))\n"
        "assert 'matplotlib' in sys.modules and 'matplotlib.pyplot' not in sys.modules\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_supports_colour_every_pair_by_what_becomes_of_it() -> None:
    extended = extended_support(designed("partially-separable").data)
    ax = figures.supports(extended)
    drawn = ax.images[0].get_array()
    blocked = extended.support & ~extended.data.support
    assert [int((drawn == n).sum()) for n in range(3)] == [
        int((~extended.support).sum()),
        int(blocked.sum()),
        int(extended.data.support.sum()),
    ]
    assert [text.get_text() for text in ax.get_legend().get_texts()][1] == f"blocked: {int(blocked.sum())}"
    given = Figure().subplots()
    assert figures.supports(extended, given) is given
