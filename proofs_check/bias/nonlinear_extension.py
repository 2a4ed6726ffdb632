"""The definitions extend to nonlinear models: decoder and embedding map together should satisfy (4) and (6).

The embeddings h_theta(x) have parameters theta of their own. Data is then called compatible if some (W, theta)
satisfies the log-odds equations (4) with these embeddings, and separable if some (W, theta) satisfies (6). This is a
definition: it claims nothing that could be computed. For one fixed theta everything about linear decoders applies as
it stands.
"""

from __future__ import annotations

from ..statement import Statement

statement = Statement(
    "bias/nonlinear-extension",
    source="2402.18551 (remark)",
    verdict="documentation",
    needs=["bias/definition-1", "bias/definition-2"],
)
