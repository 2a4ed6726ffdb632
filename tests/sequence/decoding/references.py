"""What decoders are held against: decoding one token at a time, in the plainest words."""

from __future__ import annotations

import torch

from ntp_theory.sequence.decoding import greedy, law
from ntp_theory.sequence.models import Mamba, MambaConfig, Transformer, TransformerConfig

NETWORKS = {
    "learned": lambda v, seed, length=64: Transformer(TransformerConfig(v, length, 16, 2, 2, seed=seed)).double(),
    "rotary": lambda v, seed, length=64: Transformer(
        TransformerConfig(v, length, 16, 2, 2, positions="rotary", seed=seed)
    ).double(),
    "mamba": lambda v, seed, length=64: Mamba(MambaConfig(v, 16, 2, state=4, seed=seed)).double(),
}


def sharpened(model):
    """Larger logits, so that laws differ from token to token and from uniform ones."""
    with torch.no_grad():
        model.head.weight *= 8
    return model


def cut(text, eos):
    """A text up to its first end-of-sequence token."""
    text = tuple(text)
    return text[: text.index(eos) + 1] if eos in text else text


def greedy_texts(model, prompts, count, eos=None):
    return [cut(row, eos) for row in greedy(model, prompts, count).tolist()]


def sampled_law(model, prompt, count, eos=None):
    """The law of a text whose tokens are drawn from a model, given as a function, one by one."""

    def decoder(choices):
        text = ()
        while len(text) < count and not (text and text[-1] == eos):
            text = (*text, choices.draw(model((*prompt, *text))))
        return text

    return law(decoder)
