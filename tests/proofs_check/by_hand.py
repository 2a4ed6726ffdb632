"""Certificates small enough to check in the head."""

from __future__ import annotations

from tests.proofs_check.builders import document

# One token follows each of two contexts in one dimension: h = 1 and 3, V = 2. W = (1/2, -1/2), the second is slack.
LINE = document(
    "max margin",
    [[1], [3]],
    [[0], [0]],
    {"direction": [["1/2"], ["-1/2"]], "multipliers": [[0, 0, "1/2"], [0, 1, "-1/2"]], "norm_squared": "1/2"},
    2,
    token_names=["the", "of"],
    context_names=["out", "to \n\ud800"],
)
# h = (1, -2): token 1 is off the support after both, and cannot be below token 0 on both sides of the origin.
OVERLAP = document(
    "not separable",
    [[1], [-2]],
    [[0], [0]],
    {"multipliers": [[0, 0, 2], [0, 1, "-2"], [1, 0, "1"], [1, 1, "-2/2"]]},
    2,
)
# The conditionals of SEP-INCOMPAT, y = (1, 1, -1) on their odds: 4 * 3/7 * 13/7 = 156/49.
ODDS = document(
    "not compatible",
    [[1], [1], [2]],
    [[0, 1]] * 3,
    {"coefficients": [[0, 0, 1], [0, 1, -1], [1, 0, 1], [1, 1, -1], [2, 0, -1], [2, 1, "1"]]},
    2,
    masses=[["4/5", "1/5"], [3, 7], [7, 13]],
)
# h_1 + h_2 = h_3. The second list has a positive entry on the pair (0, 1), off the support, that the first one blocks.
CHAIN = document(
    "extended support",
    [[1, 1], [-1, 1], [0, 2]],
    [[0], [0, 1, 2], [0, 1, 2]],
    {
        "extended": [[0, 1, 2]] * 3,
        "direction": [None, None, None, [0, -1]],
        "blocked": [
            [[0, 0, 1], [0, 1, -1], [1, 0, 1], [1, 1, -1], [2, 0, -1], [2, 1, 1]],
            [[0, 1, 1], [0, 2, -1], [1, 1, 1], [1, 2, -1], [2, 1, -1], [2, 2, 1]],
        ],
    },
    4,
)
