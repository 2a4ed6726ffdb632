"""The report is one page that needs nothing else, and every check is on it."""

from __future__ import annotations

import base64
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ntp_theory import Check, __version__, claims, report
from ntp_theory.errors import CheckpointError

VOID = {"meta", "img", "br"}
HOSTILE = "<script>alert(\"x\")</script> & 'quoted'"


class Page(HTMLParser):
    """What a browser would see: text, attributes, and whether every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


CHECKS = [
    Check.same("bias/erratum-E13", 0, 0, statement="assignments that fit"),
    Check.close("bias/sharp-gd-loss", 9.238, 9.213, tolerance=0.02, evidence="measured", source="derived (D4.1)"),
    Check.close("bias/sharp-gd-loss", 1.0, float("nan"), tolerance=0.02, evidence="measured", statement="broken"),
    Check.same("a/<b>", HOSTILE, "other", statement=HOSTILE),
]
PICTURE = report.Picture("A <title>", "words & more", b"\x89PNG bytes")
HTML = report.page("Title <&>", CHECKS, text="before\n  the <checks>", pictures=[PICTURE], seconds=12.34)
PAGE = Page(HTML)


def test_page_is_well_formed_and_fits_a_phone() -> None:
    assert PAGE.open == []
    assert HTML.startswith("<!doctype html>")
    assert 'name="viewport"' in HTML and "@media (max-width" in HTML


def test_page_fetches_nothing() -> None:
    assert len(PAGE.addresses) == 1 and PAGE.addresses[0].startswith("data:image/png;base64,")
    assert base64.b64decode(PAGE.addresses[0].split(",")[1]) == PICTURE.png
    assert not {"script", "link", "iframe", "object"} & set(PAGE.tags)
    assert not re.search(r"https?:|url\(|@import", HTML)


def test_every_check_is_on_the_page() -> None:
    for check in CHECKS:
        assert check.label in PAGE.words and check.statement in PAGE.words and check.evidence in PAGE.words
        for value in (check.predicted, check.computed):
            assert (f"{value:.6g}" if isinstance(value, float) else str(value)) in PAGE.words
    assert PAGE.words.count("holds") >= 2 and PAGE.words.count("FAILS") == 2
    assert "2 checks held, 2 did not" in PAGE.words
    assert HTML.count("<td><b") == len(CHECKS)


def test_what_is_known_of_a_claim_is_said_once() -> None:
    claim = claims.record("bias/sharp-gd-loss")
    assert PAGE.words.count(claim.statement) == 1
    assert claims.record("bias/erratum-E13").verdict in PAGE.words


def test_everything_is_escaped() -> None:
    assert HOSTILE in PAGE.words and "before\n  the <checks>" in PAGE.words and "A <title>" in PAGE.words
    assert "<script" not in HTML and "<checks>" not in HTML


def test_versions_and_time_are_said() -> None:
    assert f"ntp_theory {__version__}" in PAGE.words and "torch 2" in PAGE.words and "12.3 seconds" in PAGE.words


def test_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = report.write(tmp_path / "report.html", "One", CHECKS[:1])
    before = path.read_text(encoding="utf-8")
    assert before == report.page("One", CHECKS[:1])

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(CheckpointError, match=r"report.html: cannot be written \(disk full\)"):
        report.write(path, "Two", CHECKS)
    assert path.read_text(encoding="utf-8") == before
    assert [file.name for file in tmp_path.iterdir()] == ["report.html"]


def test_pictures_of_the_paper() -> None:
    panels, toy = report.paper_pictures(steps=20)
    assert panels.png[1:4] == toy.png[1:4] == b"PNG" and panels.png != toy.png
    assert "20 steps" in panels.caption
