"""The gallery shows every example that draws a picture, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")


def test_every_example_has_its_picture():
    drawing = {
        str(path.relative_to(ROOT))
        for path in ROOT.glob("examples/*/[!_]*.py")
        if ".png" in path.read_text(encoding="utf-8")
    }
    assert set(re.findall(r"`(examples/\S+\.py)`", PAGE)) == drawing


def test_pictures_are_there():
    pictures = re.findall(r"\((\S+\.png)\)", PAGE)
    assert len(set(pictures)) == len(pictures) > 0
    assert [picture for picture in pictures if not (ROOT / "docs" / picture).is_file()] == []
