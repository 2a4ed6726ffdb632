"""Caches that forget their last positions: what is read after that is read as if they had never been."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ntp_theory.errors import UsageError
from ntp_theory.sequence.models import Cut, HuggingFace
from ntp_theory.testing import Table, TableModel
from tests.sequence.decoding.references import NETWORKS


def hugging_face(v, seed):
    transformers = pytest.importorskip("transformers")
    sizes = {"n_positions": 32, "n_embd": 8, "n_layer": 1, "n_head": 2, "bos_token_id": 0, "eos_token_id": 0}
    return HuggingFace(transformers.GPT2Config(vocab_size=v, **sizes), seed=seed).double()


MODELS = NETWORKS | {"table": lambda v, seed: TableModel(Table.random(v, 2, rng=seed)), "hugging face": hugging_face}


@pytest.mark.parametrize("name", MODELS)
@settings(max_examples=25)
@given(
    parts=st.lists(st.tuples(st.integers(1, 4), st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=5),
    convolution=st.integers(0, 3),
    seed=st.integers(0, 100),
)
def test_forgotten_positions_have_no_influence(name, parts, convolution, seed):
    """Stretches are read; after each some are forgotten, back to any position that is not settled."""
    model, generator = MODELS[name](4, 0), torch.Generator().manual_seed(seed)
    cache, read, settled = model.new_cache(), torch.zeros(2, 0, dtype=torch.int64), 0
    with model.asked():
        for length, back, settle in parts:
            if hasattr(cache, "keep_from"):
                cache.keep_from = settled
            fresh = torch.randint(4, (2, length), generator=generator)
            found = model(fresh, cache)
            read = torch.cat([read, fresh], dim=1)
            assert cache.length == read.shape[1]
            assert float((found - model(read)[:, -length:]).abs().max()) < 1e-10
            read = read[:, : max(settled, read.shape[1] - back)]
            cache.truncate(read.shape[1])
            settled = min(read.shape[1], settled + settle)


@given(back=st.integers(0, 4), seed=st.integers(0, 100))
def test_a_frozen_past_is_forgotten_too(back, seed):
    """What another model has read in the model's place goes back, and on with other texts, along with it."""
    model, past = NETWORKS["learned"](4, 0), NETWORKS["learned"](4, 1)
    tokens = torch.randint(4, (2, 6), generator=torch.Generator().manual_seed(seed))
    with model.asked(), model.cut(Cut(past=past)):
        cache = model.new_cache()
        model(tokens[:, :5], cache)
        cache.truncate(5 - back)
        cache.pick(torch.tensor([1, 1, 0]))
        rest = tokens[[1, 1, 0], 5 - back :]
        assert float((model(rest, cache) - model(tokens[[1, 1, 0]])[:, 5 - back :]).abs().max()) < 1e-10


def test_a_recurrent_state_goes_back_only_as_far_as_it_kept():
    model = NETWORKS["mamba"](4, 0)
    cache = model.new_cache()
    tokens = torch.tensor([[0, 1, 2, 3]])
    with model.asked():
        model(tokens, cache)
        with pytest.raises(UsageError, match="length is 3; it must be at least keep_from, which is None"):
            cache.truncate(3)
        cache.keep_from = 4
        model(tokens, cache)
        cache.truncate(4)
        model(tokens, cache)
        with pytest.raises(UsageError, match="length is 3; it must be at least keep_from, which is 4"):
            cache.truncate(3)
        assert [kept.shape[1] for kept in cache._kept_states_btin] == [5, 5], "and keeps no more than that"
