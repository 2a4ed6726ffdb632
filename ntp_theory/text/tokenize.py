"""Tokenisers: from a stream of text to a stream of tokens, the same however the text is cut into chunks."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable, Iterator
from functools import cache, lru_cache
from typing import Any

from ..doors import one_of, whole
from ..errors import UsageError
from .source import Text, describe, read

__all__ = ["TOKENIZERS", "learn_byte_pairs", "pieces", "tokenize"]

BPE_VOCAB_SIZE = 1000  # tokens that byte-pair encoding learns if no vocabulary size is asked for


def tokenize(text: Text, tokenizer: str = "word", *, vocab_size: int | None = None) -> Iterator[str]:
    """Tokens of a text, one at a time.

    Parameters
    ----------
    text : str, pathlib.Path or iterable of str
        The text itself, a UTF-8 file, or chunks of text; read as a stream.
    tokenizer : {"word", "character", "byte", "bpe"}
        *word*: runs of letters, digits, underscores and combining marks, and single other characters, in
        lower case and Unicode form NFC, white space dropped. *character*: every character as it is. *byte*:
        the bytes of UTF-8, printable ones as their character, others as ``<0x0A>``. *bpe*: byte-pair encoding
        trained on this very text (read twice); tokens are in the alphabet of byte-level encodings, where a
        leading space shows as ``Ġ``.
    vocab_size : int, optional
        Number of tokens that *bpe* learns, 1000 if not given; the others ignore it.

    Returns
    -------
    iterator of str

    Raises
    ------
    UsageError
        If the tokeniser is unknown, ``vocab_size`` is not a whole number >= 2, or *bpe* lacks its package or
        a text that can be read twice.
    DatasetError
        If the text cannot be read or is no text.

    Examples
    --------
    >>> list(tokenize("To be, or not to be"))
    ['to', 'be', ',', 'or', 'not', 'to', 'be']
    >>> list(tokenize("é!", "byte"))
    ['<0xC3>', '<0xA9>', '!']
    """
    one_of("tokenizer", tokenizer, TOKENIZERS)
    if vocab_size is not None:
        vocab_size = whole("vocab_size", vocab_size, at_least=2)
    return _TOKENIZERS[tokenizer](text, vocab_size)


def _words(text: Text, _: int | None) -> Iterator[str]:
    # lower case and NFC look at neighbouring characters, so they are taken token by token, never by chunk
    return (unicodedata.normalize("NFC", match.lower()) for match in _matches(read(text), _word_pattern()))


def _characters(text: Text, _: int | None) -> Iterator[str]:
    return (character for chunk in read(text) for character in chunk)


def _bytes(text: Text, _: int | None) -> Iterator[str]:
    names = [chr(b) if 0x20 < b < 0x7F else f"<0x{b:02X}>" for b in range(256)]
    return (names[b] for chunk in read(text) for b in chunk.encode("utf-8"))


def _bpe(text: Text, vocab_size: int | None) -> Iterator[str]:
    if isinstance(text, Iterator):
        raise UsageError(f"{describe(text)} can be read once only; tokenizer='bpe' needs a str, a Path or a list")
    encoder = learn_byte_pairs(text, BPE_VOCAB_SIZE if vocab_size is None else vocab_size)
    encode = lru_cache(maxsize=1 << 16)(lambda piece: encoder.encode(piece).tokens)
    return (token for piece in pieces(text) for token in encode(piece))


def learn_byte_pairs(text: Text, vocab_size: int, *, every_byte: bool = False) -> Any:
    """A `tokenizers.Tokenizer` with byte-pair encoding learned from a text; it encodes the `pieces` of any text.

    With ``every_byte`` all 256 bytes are among its tokens, so that no text has a part that it cannot encode.
    """
    try:
        from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    except ImportError:
        raise UsageError("byte-pair encoding needs the package 'tokenizers'; pip install 'ntp-theory[text]'") from None
    encoder = Tokenizer(models.BPE())
    encoder.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet() if every_byte else []
    trainer = trainers.BpeTrainer(vocab_size=vocab_size, show_progress=False, initial_alphabet=alphabet)
    encoder.train_from_iterator(pieces(text), trainer)
    return encoder


def pieces(text: Text) -> Iterator[str]:
    """Parts that no byte-pair token crosses: words and runs of signs with a space before, runs of space."""
    return _matches(read(text), _piece_pattern())


def _matches(chunks: Iterator[str], pattern: re.Pattern[str]) -> Iterator[str]:
    """All matches in the joined chunks.

    A match that touches the end of what was read may still grow, so it waits. The patterns here look no
    further than the character after a run of their class, so all earlier matches are final.
    """
    rest = ""
    for chunk in chunks:
        seen = rest + chunk
        rest = ""
        for match in pattern.finditer(seen):
            if match.end() == len(seen):
                rest = match.group()
            else:
                yield match.group()
    if rest:
        yield rest


@cache
def _word() -> str:
    r"""Pattern of a word: a run of ``\w`` and of combining marks, which belong to the words of many scripts.

    The first mark is U+0300. Looking for that first keeps a search in their long list off the common path.
    """
    marks = "".join(c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M")
    return rf"(?:\w+|(?=[^\0-\u02FF])[{marks}]+)+"


@cache
def _word_pattern() -> re.Pattern[str]:
    return re.compile(rf"{_word()}|[^\w\s]")


@cache
def _piece_pattern() -> re.Pattern[str]:
    return re.compile(rf" ?{_word()}| ?(?:(?!{_word()})[^\w\s])+|\s+(?!\S)|\s")


_TOKENIZERS: dict[str, Callable[[Text, int | None], Iterator[str]]] = {
    "word": _words,
    "character": _characters,
    "byte": _bytes,
    "bpe": _bpe,
}
TOKENIZERS: tuple[str, ...] = tuple(_TOKENIZERS)
"""Names of the tokenisers."""
