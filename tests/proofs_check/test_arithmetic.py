"""Primes, products of powers and long numbers, against sympy."""

from __future__ import annotations

import math
from fractions import Fraction

import sympy
from hypothesis import given
from hypothesis import strategies as st

from proofs_check.certificates.arithmetic import PRIME_LIMIT, coprime_base, is_prime, product_of_powers
from proofs_check.certificates.wording import exact, inverse_root, log_of_product, whole
from tests.proofs_check.builders import document, message, verdict


@given(st.integers(-5, 2000) | st.integers(0, PRIME_LIMIT - 1))
def test_primes(n):
    assert is_prime(n) == sympy.isprime(n)


def test_strong_pseudoprimes():
    """To the first 9 and 12 primes; the limit itself deceives all 13."""
    assert not is_prime(3825123056546413051) and not is_prime(318665857834031151167461)
    assert is_prime(PRIME_LIMIT) and not sympy.isprime(PRIME_LIMIT)
    certificate = document("compatible", [[1]], [[0]], {"independent_mod": PRIME_LIMIT}, 1, [[1]])
    assert "must be a prime below" in message(certificate)


@given(st.lists(st.tuples(st.fractions(Fraction(1, 50), 50, max_denominator=50), st.integers(-4, 4)), max_size=6))
def test_products_of_powers(factors):
    powers = product_of_powers(factors)
    product = math.prod((x**y for x, y in factors), start=Fraction(1))
    assert math.prod((Fraction(b) ** y for b, y in powers.items()), start=Fraction(1)) == product
    assert all(math.gcd(a, b) == 1 for a in powers for b in powers if a != b)
    assert (powers == {}) == (product == 1)
    if powers:  # printed to 6 digits
        exactly = sympy.log(sympy.Rational(product.numerator, product.denominator)).evalf(30)
        assert abs(sympy.Float(log_of_product(powers), 30) / exactly - 1) <= 1e-5


@given(st.lists(st.integers(1, 10**6), max_size=8))
def test_coprime_base(numbers):
    base = coprime_base(numbers)
    assert all(b > 1 for b in base)
    assert all(math.gcd(a, b) == 1 for i, a in enumerate(base) for b in base[:i])
    for n in numbers:
        for b in base:
            while n % b == 0:
                n //= b
        assert n == 1


def test_numbers_beyond_the_limit_of_int():
    digits = "-" + "7" * 20_000
    assert whole(digits) == -7 * (10**20_000 - 1) // 9
    assert exact(Fraction(whole(digits), 3)) == "about -2.59259259259E+19999 (exactly: 66439 over 2 bits)"
    assert inverse_root(Fraction(1, 10**10_000)) == "1.0000000000E+5000"
    vast = document("separable", [[1]], [[0]], {"direction": [["1" + "0" * 9000], [whole("9" * 600)]]}, 2)
    assert verdict(vast) == "proved"


def test_logs_that_nearly_cancel():
    """(10^40 + 1)^3 / 10^120 has the logarithm 3e-40."""
    assert log_of_product({10**40 + 1: 3, 10**40: -3}) == "3.00000E-40"
