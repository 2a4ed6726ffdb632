"""Models with several heads and as many parameters as a model with one."""

from __future__ import annotations

from dataclasses import replace

from ....doors import whole
from ....errors import UsageError
from ..mamba import Mamba, MambaConfig
from ..transformer import Transformer, TransformerConfig
from .layers import LayerHeads

__all__ = ["parameter_matched"]


def parameter_matched(
    config: TransformerConfig | MambaConfig, num_heads: int, *, arrangement: str = "parallel"
) -> LayerHeads:
    """A model whose n head layers are taken from the layers of a config, so that all n have as many parameters.

    The trunk has ``layers - n`` of them. With one head it is the plain model of that config with its last layer as the
    head; with n heads the trunk has n - 1 layers less.

    Parameters
    ----------
    config : TransformerConfig or MambaConfig
        Of the plain model.
    num_heads : int
        n, below the number of layers.
    arrangement : {"parallel", "causal", "anticausal"}
        As in `LayerHeads`.

    Returns
    -------
    LayerHeads

    Raises
    ------
    UsageError
        If n is out of range, or the config of another kind.

    Notes
    -----
    Source: Gloeckle et al., 2404.19737, Sec. 2 (`multitoken/parameter-matched`).

    Examples
    --------
    >>> config = TransformerConfig(vocab_size=10, max_length=8, layers=5)
    >>> {sum(p.numel() for p in parameter_matched(config, n).parameters()) for n in (1, 2, 4)}
    {251840}
    >>> sum(p.numel() for p in Transformer(config).parameters())
    251840
    """
    if not isinstance(config, TransformerConfig | MambaConfig):
        raise UsageError(f"config is {config!r}; it must be a TransformerConfig or a MambaConfig")
    whole("num_heads", num_heads, at_least=1, at_most=config.layers - 1)
    shorter = replace(config, layers=config.layers - num_heads)
    trunk = Transformer(shorter) if isinstance(shorter, TransformerConfig) else Mamba(shorter)
    return LayerHeads(trunk, num_heads, arrangement=arrangement, seed=config.seed)
