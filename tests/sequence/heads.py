"""Small models with heads: every kind on every trunk."""

from __future__ import annotations

import pytest
import torch

from ntp_theory.sequence.models import (
    HuggingFace,
    LayerHeads,
    LinearHeads,
    MedusaHeads,
    MedusaModel,
    ReplicatedHeads,
)
from tests.sequence.decoding.references import NETWORKS


def hugging_face(v, seed, length=64, kind="GPT2"):
    transformers = pytest.importorskip("transformers")
    ids = {"vocab_size": v, "bos_token_id": 0, "eos_token_id": 0}
    if kind == "GPT2":
        sizes = {"n_positions": length, "n_embd": 16, "n_layer": 2, "n_head": 2}
    else:
        sizes = {"max_position_embeddings": length, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        sizes |= {"ffn_dim": 16, "word_embed_proj_dim": 16} if kind == "OPT" else {"intermediate_size": 16}
    return HuggingFace(getattr(transformers, f"{kind}Config")(**sizes, **ids), seed=seed).double()


TRUNKS = NETWORKS | {"hugging face": hugging_face}


def medusa(trunk, n, seed=0):
    """Heads that have left their start."""
    heads = MedusaHeads(trunk.head.in_features, trunk.head.out_features, n - 1, layers=2, seed=seed).to(
        trunk.head.weight
    )
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for block in heads.blocks.parameters():
            block += torch.randn(block.shape, generator=generator) / 4
    return MedusaModel(trunk, heads)


KINDS = {
    "parallel": LayerHeads,
    "causal": lambda trunk, n, **o: LayerHeads(trunk, n, arrangement="causal", **o),
    "anticausal": lambda trunk, n, **o: LayerHeads(trunk, n, arrangement="anticausal", **o),
    "linear": LinearHeads,
    "replicated": ReplicatedHeads,
    "medusa": medusa,
}
