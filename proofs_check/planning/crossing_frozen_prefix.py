"""With blocked hidden states and a loss on target positions only, no state before them is trained.

Edge-packed path-star input: edges, start, goal, "=", then l - 1 target inputs. Losses sit at "=" and at the target
inputs. Under myopic attention a loss has derivative 0 in the states of all other positions. So the tables E_from and
E_to, read at edges alone, and the position embeddings of edges, start and goal have gradient exactly 0; so has every
node's row of E_tok if training is teacherless, since then "=" and "$" alone are read from it at and after "=". A
parameter with gradient 0 keeps its initial value under Adam without weight decay. Weights shared with later positions
are still trained.
"""

from __future__ import annotations

import sympy as sp

from ..kit.path_star import SIZES, pack, stars
from ..kit.stacks import Stack
from ..statement import Statement

statement = Statement(
    "planning/crossing-frozen-prefix",
    source="derived; own check",
    verdict="certified on a domain",
    needs=["planning/cut-hidden-states", "pitfalls/edge-packed"],
)


@statement.proves(
    "d loss_j / d state_p = 0 for a target position j and a prefix position p < j: Jacobians are diagonal at "
    "every layer, so a gradient of the losses in what is read at p alone is a sum of zeros, for any lengths"
)
def prefix_states() -> bool:
    j, first, gap, size = sp.symbols("j first gap size", integer=True, positive=True)
    own = sp.IndexedBase("own")  # own[j] = d loss_j / d state_j
    prefix = first - gap  # positions from `first` on have a loss
    losses = sp.Sum(own[j] * sp.KroneckerDelta(j, prefix), (j, first, first + size))
    inside = sp.Sum(own[j] * sp.KroneckerDelta(j, first), (j, first, first + size))
    return bool(sp.simplify(losses.doit()) == 0 and sp.simplify(inside.doit()) == own[first])


@statement.certifies(
    "which rows of which tables are read where: E_from, E_to at edges alone; teacherless, no node's row of E_tok "
    "from '=' on, and otherwise those of the path's nodes except the goal",
    domain="all graphs with d <= 4 arms of l <= 5 nodes, N = number of nodes",
)
def tables() -> bool:
    right = []
    for d, length in SIZES:
        ids, first = d * (length - 1) + 1, d * (length - 1) + 2  # the place of "="
        for star in stars(d, length):
            for teacherless in (False, True):
                places = pack(star, ids, teacherless=teacherless)
                late = [rows[0] for table, rows in places[first:] if table == "tok"]
                right.append(all(table == "tok" for table, _ in places[first:]) and places[first][1] == (ids + 1,))
                nodes = [row for row in late if row < ids]
                right.append(nodes == ([] if teacherless else list(star.target[:-1])))
    return all(right)


@statement.proves("Adam leaves a parameter with gradient 0 where it is: moments and step stay 0 (induction over steps)")
def adam() -> bool:
    beta1, beta2, rate, epsilon, first, second = sp.symbols("beta1 beta2 rate epsilon first second", positive=True)
    step = sp.Symbol("step", integer=True, positive=True)

    def moved(m: sp.Expr, v: sp.Expr, gradient: sp.Expr) -> tuple[sp.Expr, sp.Expr, sp.Expr]:
        m, v = beta1 * m + (1 - beta1) * gradient, beta2 * v + (1 - beta2) * gradient**2
        return m, v, rate * (m / (1 - beta1**step)) / (sp.sqrt(v / (1 - beta2**step)) + epsilon)

    frozen, other = moved(sp.S.Zero, sp.S.Zero, sp.S.Zero), moved(first, second, sp.Symbol("g", positive=True))
    return frozen == (0, 0, 0) and all(entry != 0 for entry in other)


@statement.confirms(
    "the states of the positions with a loss contain no earlier input; those of plain attention contain them all",
    instances="2 layers, 2 prefix and 2 later positions, any norms, scores, values and blocks",
)
def stacks() -> bool:
    myopic, plain = Stack(2, 4, "hidden states"), Stack(2, 4, "nothing")
    prefix = set(plain.inputs[:2])
    late = [(m.free_symbols, p.free_symbols) for m, p in zip(myopic.states[2][2:], plain.states[2][2:], strict=True)]
    return all(not prefix & m and prefix <= p for m, p in late)
