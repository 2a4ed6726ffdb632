import pytest

from ntp_theory.construct import documentation_text
from ntp_theory.errors import UsageError


def test_the_documentation_is_long_and_always_the_same():
    text = documentation_text()
    assert len(text) > 300_000 and text == documentation_text()
    assert "lambda" in text


def test_a_beginning_of_it():
    assert documentation_text(1000) == documentation_text()[:1000]


def test_bad_lengths_are_refused():
    with pytest.raises(UsageError, match="max_characters is 0; it must be a whole number >= 1"):
        documentation_text(0)
