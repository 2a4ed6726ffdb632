import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.construct import documentation_text, from_text
from ntp_theory.dataset import NTPDataset
from ntp_theory.errors import DatasetError, UsageError

PROSE = "The cat sat. The cat ran. A dog sat; the dog ran, the cat sat."


def test_a_small_text_by_hand():
    data = from_text("a b a b a c", context_length=1, dim=4)
    assert data.token_names == ("a", "b", "c") and data.context_names == ("a", "b")
    assert data.support.tolist() == [[False, True, True], [True, False, False]]
    assert data.counts.tolist() == [2, 1, 2]
    assert data.weights.tolist() == [0.6, 0.4] and data.dim == 4


@pytest.mark.parametrize("tokenizer", ["word", "character", "byte", "bpe"])
def test_a_string_a_file_and_chunks_give_the_same_data(tmp_path, tokenizer):
    path = tmp_path / "prose.txt"
    path.write_bytes(b"\xef\xbb\xbf" + PROSE.encode())  # a byte order mark is no part of the text
    chunks = [PROSE[i : i + 7] for i in range(0, len(PROSE), 7)]
    first, *others = (from_text(text, tokenizer=tokenizer) for text in (PROSE, path, chunks))
    for other in others:
        assert other.context_names == first.context_names and other.token_names == first.token_names
        assert np.array_equal(other.embeddings, first.embeddings)
        assert np.array_equal(other.counts, first.counts) and np.array_equal(other.support, first.support)


@given(st.text("ab .<0x>é", min_size=4), st.sampled_from(["word", "character", "byte", "bpe"]), st.integers(1, 3))
def test_every_text_gives_a_dataset_with_unique_names_or_one_clear_error(text, tokenizer, length):
    try:
        data = from_text(text, tokenizer=tokenizer, context_length=length, embedding="additive", dim=16)
    except DatasetError as error:
        assert str(error).startswith("text '") and "it must hold at least" in str(error)
    else:
        assert isinstance(data, NTPDataset) and len(set(data.context_names)) == data.num_contexts


def test_contexts_of_characters_are_named_without_spaces():
    assert from_text("abab", tokenizer="character").context_names == ("ab", "ba")


def test_the_documentation_gives_a_thousand_contexts():
    text = documentation_text()
    data = from_text(text, embedding="additive", vocab_size=1000, max_contexts=1000)
    assert (data.num_contexts, data.vocab_size, data.dim) == (1000, 1000, 64)
    assert data.support.any(0).sum() >= 500  # tokens that do follow some context
    totals = data.pattern.sum(data.counts)
    assert (totals[:-1] >= totals[1:]).all()
    assert "of the" in data.context_names


def test_cuts_and_maps_are_passed_on():
    data = from_text(
        PROSE, context_length=1, vocab_size=4, max_contexts=2, embedding=lambda c: [[ord(x[0][0])] for x in c]
    )
    assert data.token_names == ("the", "cat", "sat", ".") and data.context_names == ("the", "cat")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"text \(the file .*\) holds 0 tokens; it must hold at least context_length \+ 1 = 3"),
        (b" \n ", r"text \(the file .*\) holds 0 tokens"),
        (
            b"\x89PNG\r\n\x1a\n",
            r"text \(the file .*\) is not UTF-8 \(invalid start byte\); it must be a text file",
        ),
        (
            b"GIF\x00 a b c d",
            r"text \(the file .*\) holds the character '\\x00'; it must be text, not binary data",
        ),
        (b"ha ha ha ha", r"text \(the file .*\) holds one distinct token, 'ha'; it must hold at least 2"),
    ],
)
def test_files_that_are_no_text_to_learn_from(tmp_path, content, message):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        from_text(path)


def test_missing_files_and_folders(tmp_path):
    with pytest.raises(DatasetError, match=r"text \(the file .*none.txt\) does not exist; it must be a readable UTF-8"):
        from_text(tmp_path / "none.txt")
    with pytest.raises(DatasetError, match=r"text \(the file .*\) cannot be read \(Is a directory\)"):
        from_text(tmp_path)


def test_strings_that_are_too_short_are_quoted():
    with pytest.raises(DatasetError, match="text 'one' holds 1 tokens; it must hold at least"):
        from_text("one")
    with pytest.raises(DatasetError, match=r"text \(a str of 99 characters\) holds one distinct token"):
        from_text("la " * 33)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tokenizer": "sentence"}, "tokenizer is 'sentence'; it must be one of"),
        ({"embedding": "onehot"}, "embedding is 'onehot'; it must be one of"),
        ({"context_length": 0}, "context_length is 0; it must be"),
        ({"dim": -1}, "dim is -1; it must be"),
        ({"vocab_size": 1}, "vocab_size is 1; it must be"),
        ({"vocab_size": 1, "tokenizer": "bpe"}, "vocab_size is 1; it must be"),
        ({"max_contexts": 0}, "max_contexts is 0; it must be"),
        ({"rng": 1.5}, "rng is 1.5; it must be"),
    ],
)
def test_bad_arguments_are_named(change, message):
    with pytest.raises(UsageError, match=message):
        from_text(PROSE, **change)
