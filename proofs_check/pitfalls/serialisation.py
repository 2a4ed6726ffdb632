"""The text of an instance, u,v|u,v|..|u,v/start,goal=start,n1,..,goal, determines it.

Numbers are digits, and ",", "|", "/" and "=" are not: so the text splits at "=" into prefix and target, the prefix at
"/" into graph and query, the graph at "|" into edges, each at ",". The first line of the public test file is a G(2,
5) with start 32 and goal 12.
"""

from __future__ import annotations

from itertools import permutations

from ..kit.path_star import labelled, parse, relabel, stars, text
from ..statement import Statement

statement = Statement("pitfalls/serialisation", source="Next-Token-Failures b925a1e", verdict="certified on a domain")

LINE = "32,3|16,12|3,19|32,34|34,6|6,16|19,47|47,28/32,12=32,34,6,16,12"


@statement.certifies(
    "parse(text(instance)) = instance: so different instances have different texts",
    domain="all labelled instances and edge orders of G(d, l) with d (l - 1) <= 3 and N <= 5",
)
def round_trip() -> bool:
    for d, length in [(d, length) for d in range(1, 4) for length in range(2, 5) if d * (length - 1) <= 3]:
        for star in labelled(d, length, 5):  # fewer ids are among these
            for order in permutations(range(len(star.edges))):
                found = relabel(star, range(5), order)
                if parse(text(found)) != found:
                    return False
    return True


@statement.certifies("ids of several digits too", domain="G(2, 3) with the ids 7, 10, 12, 99, 100 in every arrangement")
def several_digits() -> bool:
    star, names = next(stars(2, 3)), (7, 10, 12, 99, 100)
    found = [relabel(star, chosen) for chosen in permutations(names)]
    return len(set(found)) == 120 and all(parse(text(f)) == f for f in found)


@statement.proves("digits and separators have no character in common, and every separator occurs once per split level")
def separators() -> bool:
    return not set(",|/=") & set("0123456789") and len(set(",|/=")) == 4


@statement.proves(
    "the quoted line is a valid G(2, 5): 8 edges, 9 nodes, start 32, goal 12, target along edges, two leaves"
)
def quoted() -> bool:
    star = parse(LINE)
    along = all(b in star.children(a) for a, b in zip(star.target, star.target[1:], strict=False))
    shape = (len(star.edges), len(star.nodes), len(star.target)) == (8, 9, 5)
    hub = len(star.children(32)) == 2 and sum(len(star.children(node)) == 0 for node in star.nodes) == 2
    return along and shape and hub and star.target[0] == 32 and star.target[-1] == 12 and text(star) == LINE
