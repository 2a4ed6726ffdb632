"""The report: one HTML page that needs nothing else, readable on a phone."""

from __future__ import annotations

import base64
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path

from . import claims, construct, figures, runs
from ._version import __version__
from .checks import Check
from .descent import descend
from .predict import predict

__all__ = ["Picture", "page", "paper_pictures", "write"]

PACKAGES = ("torch", "numpy", "scipy", "cvxpy", "clarabel", "highspy", "matplotlib")


@dataclass(frozen=True)
class Picture:
    """A figure of the report.

    Attributes
    ----------
    title, caption : str
    png : bytes
    """

    title: str
    caption: str
    png: bytes


def write(
    path: str | os.PathLike[str],
    title: str,
    checks: Sequence[Check],
    *,
    text: str = "",
    pictures: Iterable[Picture] = (),
    seconds: float = 0.0,
) -> Path:
    """Write `page` to a file, atomically.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> write(pathlib.Path(tempfile.mkdtemp()) / "report.html", "Nothing", []).name
    'report.html'
    """
    return runs.write_text(path, page(title, checks, text=text, pictures=pictures, seconds=seconds))


def page(
    title: str,
    checks: Sequence[Check],
    *,
    text: str = "",
    pictures: Iterable[Picture] = (),
    seconds: float = 0.0,
) -> str:
    """The report as one HTML document: style and pictures inside, no scripts, nothing to fetch.

    Parameters
    ----------
    title : str
    checks : sequence of Check
        Neighbours with the same label share one heading.
    text : str
        What comes before the checks, shown as it is.
    pictures : iterable of Picture
    seconds : float
        How long all of it took.

    Returns
    -------
    str

    Examples
    --------
    >>> html = page("A <title>", [Check.same("bias/remark-1", 0, 0, statement="dim F")])
    >>> "A &lt;title&gt;" in html, "1 check held, 0 did not" in html
    (True, True)
    """
    held = sum(check.holds for check in checks)
    failed = len(checks) - held
    count = f"{held} check{'s' if held != 1 else ''} held, {failed} did not"
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="verdict {"bad" if failed else "good"}">{count}. It took {seconds:.1f} seconds.</p>',
    ]
    if text:
        body.append(f"<pre>{escape(text)}</pre>")
    body += [_figure(picture) for picture in pictures]
    if checks:
        body += ["<h2>Checks</h2>", _EVIDENCE, _table(checks)]
    body += ["<h2>Versions</h2>", f"<p>{escape(_versions())}</p>"]
    return _PAGE.format(title=escape(title), style=_STYLE, body="\n".join(body))


def paper_pictures(steps: int = 10_000) -> list[Picture]:
    """The figures of 2402.18551 on our replicas of its settings: the four panels of A.2, and the planar toy.

    Parameters
    ----------
    steps : int
        Length of the gradient descent run; the paper's if not given.

    Returns
    -------
    list of Picture

    Examples
    --------
    >>> [picture.title for picture in paper_pictures(steps=10)]
    ['Gradient descent against its prediction', 'Word and context embeddings']
    """
    experiment, toy = predict(construct.a2()), predict(construct.toy())
    run = descend(experiment.data, steps=steps, step_size=0.5)
    return [
        Picture(
            "Gradient descent against its prediction",
            f"Replica of the paper's experiment A.2 (50 contexts, 10 tokens, d = 60), {steps:,} steps of size 0.5 from "
            "zero. Dots are measured, lines are computed from the data alone before the run.",
            figures.png(figures.four_panels(run, experiment)[0]),
        ),
        Picture(
            "Word and context embeddings",
            "Replica of the paper's planar toy: the direction in which the word embeddings diverge, and the finite "
            "part to which the rest converges. Words with the same contexts share a row of the direction.",
            figures.png(figures.toy_figure(toy)[0]),
        ),
    ]


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.png).decode("ascii")
    return (
        f'<figure><h2>{escape(picture.title)}</h2><img alt="{escape(picture.title)}" '
        f'src="data:image/png;base64,{data}"><figcaption>{escape(picture.caption)}</figcaption></figure>'
    )


def _table(checks: Sequence[Check]) -> str:
    known = {claim.label: claim for claim in claims.records()}
    names = ("", "What was compared", "Predicted", "Computed", "Error", "Tolerance", "Evidence", "Seconds")
    rows = ["<table><thead><tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr></thead>"]
    for label, group in groupby(checks, key=lambda check: check.label):
        members = list(group)
        heading = f'<code>{escape(label)}</code> <span class="source">{escape(members[0].source)}</span>'
        if label in known:
            claim = known[label]
            heading += f'<br>{escape(claim.statement)} <span class="source">{escape(claim.verdict)}</span>'
        rows.append(f'<tbody><tr class="claim"><th colspan="8">{heading}</th></tr>')
        rows += [_row(check, names) for check in members]
        rows.append("</tbody>")
    return "\n".join([*rows, "</table>"])


def _row(check: Check, names: Sequence[str]) -> str:
    mark = '<b class="good">holds</b>' if check.holds else '<b class="bad">FAILS</b>'
    values = (
        check.statement,
        _number(check.predicted),
        _number(check.computed),
        f"{check.error:.2g}",
        f"{check.tolerance:.2g}",
        check.evidence,
        f"{check.seconds:.2f}",
    )
    cells = "".join(
        f'<td data-name="{name}">{escape(value)}</td>' for name, value in zip(names[1:], values, strict=True)
    )
    return f"<tr><td>{mark}</td>{cells}</tr>"


def _number(value: float | int | str) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _versions() -> str:
    found = [f"ntp_theory {__version__}", f"Python {platform.python_version()}"]
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return ", ".join(found)


_EVIDENCE = (
    "<p><b>exact</b>: decided in rational or symbolic arithmetic, or by comparing discrete objects. "
    "<b>certified</b>: a bound that holds for the returned object whatever the solver did. "
    "<b>measured</b>: a numerical experiment. A check holds when its error is at most its tolerance.</p>"
)

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #222; background: #fff; margin: 0 auto; max-width: 75rem;
  padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.2; } h2 { font-size: 1.15rem; margin-top: 2rem; }
pre { background: #f6f6f6; padding: .8rem; overflow-x: auto; font-size: .8rem; line-height: 1.4; }
figure { margin: 0; } img { max-width: 100%; height: auto; } figcaption { font-size: .9rem; color: #555; }
.verdict { font-weight: 600; padding: .5rem .8rem; border-left: .3rem solid; background: #f6f6f6; }
.good { color: #00664b; } .bad { color: #b34700; } .source { color: #666; font-weight: 400; font-size: .85em; }
table { border-collapse: collapse; width: 100%; font-size: .85rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem; border-bottom: 1px solid #e4e4e4;
  overflow-wrap: break-word; }
.claim th { background: #f6f6f6; font-weight: 400; padding-top: .5rem; } code { font-weight: 600; }
td:nth-child(n+3) { font-variant-numeric: tabular-nums; }
@media (max-width: 44rem) {
  thead { display: none; } table, tbody, tr, td, th { display: block; }
  tr { border-bottom: 1px solid #ccc; padding: .3rem 0; } td { border: 0; padding: .05rem .5rem; }
  td[data-name]::before { content: attr(data-name) ": "; color: #666; }
}
"""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
</body>
</html>
"""
