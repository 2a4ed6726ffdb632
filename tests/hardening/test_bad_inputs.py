"""Every row of the table of bad inputs is refused as designed; nothing is left half written, and no code is run."""

from __future__ import annotations

import pytest
import torch

from ntp_theory.errors import NTPError

from .bad import Refused, poisoned
from .table import TABLE

ROWS = {f"{door}: {bad.name}": bad for door, rows in TABLE.items() for bad in rows}


@pytest.mark.parametrize("name", ROWS)
def test_bad_inputs(name, tmp_path):
    bad, threads = ROWS[name], torch.get_num_threads()
    with pytest.raises((NTPError, Refused)) as caught:  # anything else is a traceback from inside
        bad.call(tmp_path)
    assert type(caught.value) is bad.error
    message = str(caught.value)
    assert [word for word in bad.words if word not in message] == [], message
    assert not poisoned(tmp_path).exists(), "code of a file was run"
    assert not list(tmp_path.rglob("*.part")), "half a file is left"
    assert torch.get_default_dtype() is torch.float32 and torch.get_num_threads() == threads


def test_the_table_is_large_and_says_each_thing_once():
    assert len(ROWS) == sum(map(len, TABLE.values())) >= 100
    assert all(bad.words and all(bad.words) for bad in ROWS.values())
