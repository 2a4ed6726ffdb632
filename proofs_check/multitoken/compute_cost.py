"""26.2 billion tokens cost 4.7e18 operations for 30M parameters and 8e17 for the 1M model.

A parameter costs 6 operations a token. A batch of 0.25 x 2^20 tokens and 100,000 steps are 26.2 billion tokens. A model
of 1M parameters and width 128 has a vocabulary matrix of 32,000 x 128 = 4.1M parameters besides, which dominates.
"""

from __future__ import annotations

from fractions import Fraction

from ..statement import Statement

statement = Statement("multitoken/compute-cost", source="derived", verdict="proved")

TOKENS = Fraction(1, 4) * 2**20 * 100_000


def operations(parameters: int) -> Fraction:
    return 6 * parameters * TOKENS


@statement.proves("0.25 x 2^20 x 10^5 = 26.2144 billion tokens")
def tokens() -> bool:
    return Fraction("26.2e9") <= TOKENS < Fraction("26.3e9") and TOKENS == Fraction("26.2144e9")


@statement.proves("30M parameters: between 4.7e18 and 4.75e18 operations")
def thirty_million() -> bool:
    return Fraction("4.7e18") <= operations(30_000_000) < Fraction("4.75e18")


@statement.proves(
    "1M parameters and one matrix of 32,000 x 128: between 7.95e17 and 8.05e17; 32,768 tokens: below 8.2e17"
)
def one_million() -> bool:
    exact, rounded_up = operations(1_000_000 + 32_000 * 128), operations(1_000_000 + 32_768 * 128)
    return Fraction("7.95e17") <= exact < Fraction("8.05e17") and rounded_up < Fraction("8.2e17")
