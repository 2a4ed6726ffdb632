"""The example with arrows and the comma form of the public code are the same G(2, 5), with N = 9 ids, start 3, goal 7.

Input "3 → 4 | 5 → 1 | 4 → 5 | 0 → 2 | 3 → 0 | 1 → 8 | 6 → 7 | 2 → 6 / 3 7", output "3 → 0 → 2 → 6 → 7"; in commas
3,4|5,1|4,5|0,2|3,0|1,8|6,7|2,6/3,7=3,0,2,6,7. Order of fields and the separators | and / agree; arrows, spaces and the
missing = are the difference. The tree is 8 <- 1 <- 5 <- 4 <- 3 -> 0 -> 2 -> 6 -> 7.
"""

from __future__ import annotations

from ..kit.path_star import parse, parse_arrows, text, tokens
from ..statement import Statement

statement = Statement(
    "pitfalls/arrow-format",
    source="derived (Telegram-post example)",
    verdict="proved",
    needs=["pitfalls/serialisation", "pitfalls/tokenisation"],
)

PROMPT, ANSWER = "3 → 4 | 5 → 1 | 4 → 5 | 0 → 2 | 3 → 0 | 1 → 8 | 6 → 7 | 2 → 6 / 3 7", "3 → 0 → 2 → 6 → 7"
COMMAS = "3,4|5,1|4,5|0,2|3,0|1,8|6,7|2,6/3,7=3,0,2,6,7"
IDS = [3, 4, 9, 5, 1, 9, 4, 5, 9, 0, 2, 9, 3, 0, 9, 1, 8, 9, 6, 7, 9, 2, 6, 11, 3, 7, 10, 3, 0, 2, 6, 7]


@statement.proves("both texts parse to the same instance, whose comma form is the printed one")
def same_instance() -> bool:
    return parse_arrows(PROMPT, ANSWER) == parse(COMMAS) and text(parse_arrows(PROMPT, ANSWER)) == COMMAS


@statement.proves("its tokens for N = 9 are the printed ones, 27 + 5")
def same_tokens() -> bool:
    line = tokens(COMMAS, 9)
    return line == IDS and line.index(10) + 1 == 27 and len(line) == 32


@statement.proves("it is a G(2, 5) on 9 ids: the 8 edges of the tree, each once, start 3, goal 7")
def valid() -> bool:
    star = parse(COMMAS)
    arms = [[3, 4, 5, 1, 8], [3, 0, 2, 6, 7]]
    edges = [edge for arm in arms for edge in zip(arm, arm[1:], strict=False)]
    return sorted(star.edges) == sorted(edges) and star.nodes == set(range(9)) and list(star.target) == arms[1]
