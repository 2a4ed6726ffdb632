"""The tokens of a text: its characters, byte pairs learned from it, or those of a model that is there already."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...doors import whole
from ...errors import UsageError
from ...text import learn_byte_pairs, pieces

__all__ = ["BytePairs", "Characters", "FolderTokens", "Tokens", "tokens_for"]

Ids = NDArray[np.int64]
BYTES = 256
UNKNOWN = "\N{REPLACEMENT CHARACTER}"


class Tokens(ABC):
    """From text to token ids and back."""

    @property
    @abstractmethod
    def size(self) -> int:
        """How many ids there are."""

    @abstractmethod
    def encode(self, text: str) -> Ids:
        """The ids (n,) of a text."""

    @abstractmethod
    def decode(self, ids: Ids) -> str:
        """The text of ids (n,)."""


class Characters(Tokens):
    """Every character of a text; id 0 stands for all that are not in it.

    Examples
    --------
    >>> tokens = Characters("abba")
    >>> tokens.encode("cab").tolist(), tokens.decode(np.array([0, 1, 2]))
    ([0, 1, 2], '\N{REPLACEMENT CHARACTER}ab')
    """

    def __init__(self, learned_from: str) -> None:
        self.known = np.unique(_codes(learned_from))

    @property
    def size(self) -> int:
        """With the unknown one."""
        return len(self.known) + 1

    def encode(self, text: str) -> Ids:
        """One id a character."""
        codes = _codes(text)
        place = np.minimum(np.searchsorted(self.known, codes), len(self.known) - 1)
        return np.where(self.known[place] == codes, place + 1, 0)

    def decode(self, ids: Ids) -> str:
        """Unknown characters come back as the sign for them, U+FFFD."""
        return "".join(chr(self.known[i - 1]) if i else UNKNOWN for i in ids.tolist())


class BytePairs(Tokens):
    """Byte-pair encoding learned from a text; every byte is a token, so that any text can be encoded."""

    def __init__(self, learned_from: str, vocab_size: int) -> None:
        self.encoder = learn_byte_pairs(learned_from, vocab_size, every_byte=True)  # says so if the package is missing
        from tokenizers.decoders import ByteLevel

        self.encoder.decoder = ByteLevel()

    @property
    def size(self) -> int:
        """As many as were asked for, or fewer if the text has no more pairs."""
        return self.encoder.get_vocab_size()  # type: ignore[no-any-return]

    def encode(self, text: str) -> Ids:
        """No token crosses a word."""
        ids = lru_cache(maxsize=1 << 16)(lambda piece: self.encoder.encode(piece).ids)
        return np.array([i for piece in pieces(text) for i in ids(piece)], dtype=np.int64)

    def decode(self, ids: Ids) -> str:
        """The text itself, if it was not cut within a character."""
        return self.encoder.decode(ids.tolist())  # type: ignore[no-any-return]


class FolderTokens(Tokens):
    """The tokenizer in a local folder, as Hugging Face saves it beside a model; nothing is downloaded."""

    def __init__(self, folder: Path) -> None:
        try:
            from transformers import AutoTokenizer
        except ImportError:
            raise UsageError(
                "the tokens of a folder need the package 'transformers'; pip install 'ntp-theory[hf]'"
            ) from None
        try:
            self.tokenizer: Any = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # whatever the reader of damaged files runs into
            raise UsageError(f"tokens is {str(folder)!r}; it holds no tokenizer ({error})") from error
        if not self.tokenizer.get_vocab().keys() - self.tokenizer.all_special_tokens:  # made up from the model's config
            raise UsageError(f"tokens is {str(folder)!r}; it holds no tokenizer (or one without tokens)")

    @property
    def size(self) -> int:
        """With the tokens added to it."""
        return len(self.tokenizer)

    def encode(self, text: str) -> Ids:
        """Without marks at the beginning and the end."""
        found = self.tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return np.array(found, dtype=np.int64)

    def decode(self, ids: Ids) -> str:
        """As the tokenizer has it."""
        return self.tokenizer.decode(ids.tolist(), clean_up_tokenization_spaces=False)  # type: ignore[no-any-return]


def tokens_for(tokens: str | os.PathLike[str], learned_from: str, vocab_size: int | None) -> Tokens:
    """The tokens of that name, learned from a text, or those of a folder.

    Raises
    ------
    UsageError
        If there is no such name or folder, a size is given where none is chosen, or a package is missing.
    """
    if tokens == "bpe":
        return BytePairs(learned_from, whole("vocab_size", 1000 if vocab_size is None else vocab_size, at_least=BYTES))
    if vocab_size is not None:
        raise UsageError(f"vocab_size is {vocab_size!r}; it can be chosen for tokens='bpe' alone")
    if tokens == "characters":
        return Characters(learned_from)
    if isinstance(tokens, str | os.PathLike) and Path(tokens).is_dir():
        return FolderTokens(Path(tokens))
    raise UsageError(f"tokens is {tokens!r}; it must be 'characters', 'bpe' or a folder with a tokenizer")


def _codes(text: str) -> NDArray[np.uint32]:
    """Unicode code points."""
    return np.frombuffer(text.encode("utf-32-le"), dtype="<u4")
