"""The capacity bound on trained models: in how many dimensions their weights can move the logits of some contexts."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from ..doors import instance
from ..errors import UsageError
from ..readings import JacobianRank, jacobian_rank

__all__ = ["model_jacobian_rank"]


def model_jacobian_rank(model: nn.Module, inputs: Tensor) -> JacobianRank:
    """Rank of the Jacobian of a model's next-token logits by its weights, at the weights it has.

    Parameters
    ----------
    model : torch.nn.Module
        From inputs (n, ...) to logits (n, V), or (n, T, V), of which the last position is taken. It is copied, set to
        evaluate, and run in double precision.
    inputs : Tensor
        n contexts, as the model takes them; real numbers are made double.

    Returns
    -------
    JacobianRank
        k is the number of weights that can be trained; those of one tensor used twice count once.

    Raises
    ------
    UsageError
        If ``model`` is no module, nothing can be trained, or the logits are not as said.

    Notes
    -----
    The Jacobian has k n V numbers. It is taken one row at a time, so attention may use any kernel.
    Source: 2405.13718 (`capacity/jacobian-rank`).

    Examples
    --------
    >>> from ntp_theory.sequence.models import Transformer, TransformerConfig
    >>> model = Transformer(TransformerConfig(vocab_size=3, max_length=2, width=4, layers=1, heads=1))
    >>> found = model_jacobian_rank(model, torch.tensor([[0, 1], [1, 0], [2, 2]]))
    >>> found.rank, found.bound
    (6, 6)
    """
    instance("model", model, nn.Module)
    instance("inputs", inputs, Tensor)
    inputs = inputs.double() if inputs.is_floating_point() else inputs
    twin = copy.deepcopy(model).double().eval()
    trained = {name: weight for name, weight in twin.named_parameters() if weight.requires_grad}
    if not trained:
        raise UsageError("model has no weights that can be trained; its Jacobian has no columns")
    sizes, shapes = [w.numel() for w in trained.values()], [w.shape for w in trained.values()]

    def logits(theta: Tensor) -> Tensor:
        parts = (part.view(shape) for part, shape in zip(theta.split(sizes), shapes, strict=True))
        found = torch.func.functional_call(twin, dict(zip(trained, parts, strict=True)), (inputs,))
        if isinstance(found, Tensor) and found.dim() == 3:
            found = found[:, -1]
        return found  # type: ignore[no-any-return]

    start = torch.cat([weight.detach().flatten() for weight in trained.values()])
    return jacobian_rank(logits, start)
