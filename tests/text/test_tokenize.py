import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.text import TOKENIZERS, tokenize

# characters on which a cut may go wrong: space, signs, marks, letters whose case depends on their neighbours
TRICKY = "  \n\t..'aAbΣσİe\u0301\u0307\u0939\u093f_1é😀"
TEXTS = st.text(st.sampled_from(TRICKY) | st.characters(exclude_characters="\0", exclude_categories=["Cs"]))

every_tokenizer = pytest.mark.parametrize("name", TOKENIZERS)


def cut(text, places):
    edges = [0, *sorted(place % (len(text) + 1) for place in places), len(text)]
    return [text[a:b] for a, b in zip(edges, edges[1:], strict=False)]


@every_tokenizer
@given(TEXTS, st.lists(st.integers(0, 1000), max_size=8))
def test_chunks_do_not_matter(name, text, places):
    whole = list(tokenize(text, name))
    assert list(tokenize(cut(text, places), name)) == whole
    assert list(tokenize(list(text), name)) == whole


@pytest.mark.parametrize("name", ["word", "byte", "bpe"])
@given(TEXTS)
def test_tokens_hold_no_white_space(name, text):
    assert all(token.split() == [token] for token in tokenize(text, name))


@given(TEXTS)
def test_words_keep_every_visible_character(text):
    tokens = "".join(tokenize(text, "word"))
    visible = "".join(text.split())
    assert unicodedata.normalize("NFC", tokens) == unicodedata.normalize(
        "NFC", "".join(token.lower() for token in tokenize_cased(visible, text))
    )


def tokenize_cased(visible, text):
    """The words of the text in their own case, found again as the maximal runs; a slow and plain reading."""
    runs, run = [], ""
    for character in text + " ":
        wordlike = character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
        if run and not wordlike:
            runs.append(run)
            run = ""
        if wordlike:
            run += character
        elif not character.isspace():
            runs.append(character)
    assert "".join(runs) == visible
    return runs


@given(TEXTS)
def test_characters_and_bytes_can_be_put_together_again(text):
    assert "".join(tokenize(text, "character")) == text
    codes = [int(t[3:5], 16) if len(t) > 1 else ord(t) for t in tokenize(text, "byte")]
    assert bytes(codes) == text.encode("utf-8")


@given(TEXTS, st.integers(2, 300))
def test_byte_pairs_can_be_put_together_again(text, vocab_size):
    from tokenizers.decoders import ByteLevel

    tokens = list(tokenize(text, "bpe", vocab_size=vocab_size))
    assert ByteLevel().decode(tokens) == text


def test_words_are_read_in_lower_case_with_their_marks():
    assert list(tokenize("Don't PANIC_2!", "word")) == ["don", "'", "t", "panic_2", "!"]
    assert list(tokenize("e\u0301 É", "word")) == ["é", "é"]
    assert list(tokenize("हिन्दी।", "word")) == ["हिन्दी", "।"]


def test_bytes_have_readable_names():
    assert list(tokenize("a <\n", "byte")) == ["a", "<0x20>", "<", "<0x0A>"]


def test_byte_pairs_learn_the_frequent_words_and_as_many_as_asked():
    text = "the cat and the dog and the bird " * 20
    assert "Ġthe" in set(tokenize(text, "bpe"))
    sizes = [len(set(tokenize(text, "bpe", vocab_size=size))) for size in (15, 18)]
    assert sizes[0] <= 15 and sizes[1] <= 18


def test_byte_pairs_without_their_package_say_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(UsageError, match=r"pip install 'ntp-theory\[text\]'"):
        tokenize("a b", "bpe")


def test_byte_pairs_need_a_text_that_can_be_read_twice():
    with pytest.raises(UsageError, match=r"text \(a generator\) can be read once only; tokenizer='bpe' needs"):
        tokenize((c for c in "abc"), "bpe")


def test_an_unknown_tokenizer_is_refused_with_the_list():
    with pytest.raises(UsageError, match="tokenizer is 'words'; it must be one of 'word', 'character', 'byte', 'bpe'"):
        tokenize("a b", "words")


@every_tokenizer
@pytest.mark.parametrize("bad", ["a\0b", "a\ud800b"])
def test_what_is_no_text_is_refused(name, bad):
    with pytest.raises(DatasetError, match="holds the character .*; it must be text, not binary data"):
        list(tokenize(["fine", bad], name))


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [
        (["a", b"b"], DatasetError, r"text \(a list\) gives b'b'; every chunk must be a str"),
        (b"ab", DatasetError, r"text \(a bytes\) gives 97; every chunk must be a str"),
        (3, UsageError, r"text \(a int\) is no text; it must be a str, a pathlib.Path or an iterable of str"),
    ],
)
def test_other_types_are_refused(bad, error, message):
    with pytest.raises(error, match=message):
        list(tokenize(bad))
