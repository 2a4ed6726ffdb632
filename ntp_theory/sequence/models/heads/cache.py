"""What is remembered of the positions so far by a trunk and by the layers of its heads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ....errors import UsageError
from ..mamba import RecurrentState
from ..transformer import Branches, KeyValueCache

__all__ = ["HeadsCache"]


@dataclass
class HeadsCache:
    """A cache of the trunk and one of the head layers, as of a model with so many layers."""

    trunk: Any
    heads: KeyValueCache | RecurrentState
    _layers: int | None = None

    @property
    def length(self) -> int:
        """How many positions there are."""
        return self.trunk.length  # type: ignore[no-any-return]

    @property
    def keep_from(self) -> int | None:
        """How far back a recurrent state must be able to go; keys and values go back anywhere."""
        return self._recurrent[0].keep_from if self._recurrent else None

    @keep_from.setter
    def keep_from(self, length: int | None) -> None:
        for part in self._recurrent:
            part.keep_from = length

    @property
    def _recurrent(self) -> list[Any]:
        return [part for part in (self.trunk, self.heads) if hasattr(part, "keep_from")]

    def read_by(self, layers: int) -> None:
        """Note how many head layers read the next tokens; those that have not read all before cannot go on."""
        if self._layers not in (None, layers):
            raise UsageError(
                f"cache was read by {self._layers} layers of heads, now by {layers}; "
                "use one for the next token alone (features), and another for all heads (future)"
            )
        self._layers = layers

    @property
    def branches(self) -> Branches | None:
        """How the next tokens follow each other, where they are nodes of trees; a recurrent state reads none."""
        return self.heads.branches if isinstance(self.heads, KeyValueCache) else None

    @branches.setter
    def branches(self, branches: Branches | None) -> None:
        self.trunk.branches = branches
        self.heads.branches = branches  # type: ignore[union-attr]

    def truncate(self, length: int) -> None:
        """Forget all positions from ``length`` on."""
        self.trunk.truncate(length)
        self.heads.truncate(length)

    def pick(self, rows: Tensor) -> None:
        """Go on with these texts of the batch, in this order."""
        self.trunk.pick(rows)
        self.heads.pick(rows)

    def gather(self, kept_bs: Tensor) -> None:
        """Go on with these positions of each text, in this order."""
        self.trunk.gather(kept_bs)
        self.heads.gather(kept_bs)  # type: ignore[union-attr]
