"""Polynomial arithmetic: the ring, texts there and back, values by whole numbers of Python, splits, and wrong calls."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from ntp_theory.errors import DatasetError, UsageError
from ntp_theory.sequence.models import model_for
from ntp_theory.sequence.tasks import Batch, Expression, PolynomialArithmetic
from ntp_theory.sequence.tasks.polynomials import ring
from ntp_theory.sequence.tasks.splits import HELD_OUT
from ntp_theory.sequence.training import Settings, TeacherForcing, Teacherless, train
from tests.sequence.strategies import arithmetic_tasks, expressions

seeds = st.integers(0, 2**32)
TASK = PolynomialArithmetic(2, modulus=7, terms=2)


@st.composite
def elements(draw, how_many):
    """So many of one ring, with its modulus."""
    modulus, n = draw(st.integers(2, 10)), draw(st.integers(1, 6))
    row = st.lists(st.integers(0, modulus - 1), min_size=n, max_size=n).map(np.array)
    return [draw(row) for _ in range(how_many)], modulus


def whole(a, b, symbol):
    """The product or the composition over the integers, nothing reduced, by its definition."""
    if symbol == "*":
        found = [0] * (len(a) + len(b) - 1)
        for (i, x), (j, y) in itertools.product(enumerate(a), enumerate(b)):
            found[i + j] += x * y
        return found
    found, power = [0], [1]
    for coefficient in a:
        found = [x + coefficient * y for x, y in itertools.zip_longest(found, power, fillvalue=0)]
        power = whole(power, b, "*")
    return found


def by_hand(expression, modulus):
    """Integers at every operator, and only then reduced."""
    if not expression.symbol:
        return expression.coefficients
    parts = [by_hand(part, modulus) for part in expression.operands]
    n = len(parts[0])
    if expression.symbol == "-":
        found = [-x for x in parts[0]]
    elif expression.symbol == "+":
        found = [x + y for x, y in zip(*parts, strict=True)]
    else:
        found = whole(*([int(x) for x in part] for part in parts), expression.symbol)
    return tuple((x % modulus) for x in (found + [0] * n)[:n])


@given(elements(3))
def test_ring_axioms(drawn):
    (a, b, c), p = drawn
    one, zero = np.eye(1, len(a), dtype=int)[0], np.zeros(len(a), dtype=int)
    add, times = (lambda x, y, f=f: f(x, y, p) for f in (ring.add, ring.multiply))
    for f in (add, times):
        assert np.array_equal(f(a, b), f(b, a)) and np.array_equal(f(f(a, b), c), f(a, f(b, c)))
    assert np.array_equal(add(a, zero), a) and np.array_equal(times(a, one), a)
    assert not add(a, ring.negative(a, p)).any()
    assert np.array_equal(times(a, add(b, c)), add(times(a, b), times(a, c)))


@given(elements(3))
def test_composition(drawn):
    """A homomorphism of sums always; of products, and associative, if the inner one has no constant term; X is neutral.

    `multitoken/composition`
    """
    (a, b, inner), p = drawn
    compose = lambda x, y: ring.compose(x, y, p)  # noqa: E731
    x = np.eye(1, len(a), 1, dtype=int)[0]
    assert np.array_equal(compose(x, a), a) or len(a) == 1
    assert np.array_equal(compose(a, x), a)
    assert np.array_equal(compose(ring.add(a, b, p), inner), ring.add(compose(a, inner), compose(b, inner), p))
    inner[0] = 0
    product, images = ring.multiply(a, b, p), (compose(a, inner), compose(b, inner))
    assert np.array_equal(compose(product, inner), ring.multiply(*images, p))
    assert np.array_equal(compose(compose(a, b), inner), compose(a, compose(b, inner)))


@given(elements(2))
def test_operations_against_whole_numbers(drawn):
    (a, b), p = drawn
    for symbol, found in (("*", ring.multiply(a, b, p)), ("o", ring.compose(a, b, p))):
        exact = whole(a.tolist(), b.tolist(), symbol) + [0] * len(a)
        assert found.tolist() == [x % p for x in exact[: len(a)]]


@given(st.data(), arithmetic_tasks())
def test_texts_tokens_and_values(data, task):
    shape = {"terms": task.terms, "modulus": task.modulus, "most": task.room, "fewest": 1}
    found = data.draw(st.lists(expressions(**shape), min_size=1, max_size=4))
    batch = task.batch(found)
    assert task.expressions(batch) == found
    assert task.num_operators(batch).tolist() == [expression.num_operators for expression in found]
    assert torch.equal(task.solve(batch), batch.answers)
    for expression, prompt, answer in zip(found, batch.prompts.tolist(), batch.answers.tolist(), strict=True):
        assert Expression.parse(expression.format()) == expression
        assert tuple(answer) == expression.value(task.modulus) == by_hand(expression, task.modulus)
        text = task.format(expression)
        assert text == expression.format() + "=" + "".join(map(str, answer))
        assert task.parse(text) == task.parse(text.partition("=")[0]) == expression
        written = "".join(("0123456789"[: task.modulus] + "-+*o=._$")[token] for token in prompt)
        assert len(written) + task.terms == task.max_length
        # what is in front says how long the question is, what is behind is the same in all
        question = written.lstrip("_").removesuffix("=" + "." * task.pauses)
        assert sorted(question) == sorted(expression.format().replace("(", "").replace(")", ""))


@given(arithmetic_tasks(), seeds, st.sampled_from([None, "train", "test"]))
def test_what_is_drawn(task, seed, split):
    batch = task.sample(20, rng=seed, split=split)
    assert len(batch) == 20 and batch.prompt_length + batch.answer_length == task.max_length
    found = task.expressions(batch)
    assert all(task.fewest <= expression.num_operators <= task.most for expression in found)
    again = task.batch(found)
    assert torch.equal(again.prompts, batch.prompts) and torch.equal(again.answers, batch.answers)
    assert torch.equal(task.sample(20, rng=np.random.default_rng(seed), split=split).prompts, batch.prompts)
    if split is not None:
        assert task.held_out(batch).tolist() == [split == "test"] * 20
    roomier = PolynomialArithmetic(
        task.most, room=task.room + 2, pauses=task.pauses + 1, modulus=task.modulus, terms=task.terms
    )
    swapped = roomier.held_out(roomier.batch([exchanged(expression) for expression in found]))
    assert torch.equal(swapped, task.held_out(batch)), "summands and factors exchanged, room and pauses do not count"


def exchanged(expression):
    """Every sum and every product the other way round."""
    operands = tuple(exchanged(part) for part in expression.operands)
    return Expression(
        expression.symbol, operands[:: -1 if expression.symbol in ("+", "*") else 1], expression.coefficients
    )


@given(arithmetic_tasks(), seeds)
def test_checker(task, seed):
    batch = task.sample(50, rng=seed)
    assert bool(task.is_correct(batch, batch.answers).all())
    wrong = batch.answers.clone()
    place = torch.from_numpy(np.random.default_rng(seed).integers(task.terms, size=50))
    wrong[torch.arange(50), place] = (wrong[torch.arange(50), place] + 1) % task.modulus
    assert not bool(task.is_correct(batch, wrong).any())


@given(arithmetic_tasks(), st.data())
def test_only_some_operators(task, data):
    """Questions of the same shape, so that one model reads them all."""
    m = data.draw(st.integers(1, task.room))
    one = task.only(m)
    assert (one.vocab_size, one.max_length) == (task.vocab_size, task.max_length)
    batch = one.sample(10, split="test")
    assert set(task.num_operators(batch).tolist()) == {m} and bool(task.held_out(batch).all())


def test_operators_and_coefficients_are_uniform():
    """Of expressions of three operators: each of the four at the root, each coefficient, each split of two operators.

    A fixed seed; one in 10,000 would miss.
    """
    task = PolynomialArithmetic(3, modulus=5, terms=3)
    found = task.only(3).expressions(task.only(3).sample(4000, rng=0))
    roots = [sum(e.symbol == symbol for e in found) for symbol in "-+*o"]
    coefficients = np.bincount([x for e in found for polynomial in e.polynomials for x in polynomial])
    left = np.bincount([e.operands[0].num_operators for e in found if e.symbol != "-"])
    below = [sum(e.operands[0].symbol == symbol for e in found if e.symbol == "-") for symbol in "-+*o"]
    m = np.bincount(task.num_operators(task.sample(4000, rng=1)).numpy())[1:]
    for counts, kinds in ((roots, 4), (coefficients, 5), (left, 3), (below, 4), (m, 3)):
        assert len(counts) == kinds and chisquare(counts).pvalue > 1e-4


def test_the_share_that_is_held_out():
    """Within five standard deviations of a tenth."""
    count, p = 10_000, 1 / HELD_OUT
    held_out = int(TASK.only(2).held_out(TASK.only(2).sample(count)).sum())
    assert abs(held_out - count * p) < 5 * math.sqrt(count * p * (1 - p))


def test_every_small_expression_is_in_one_split_and_drawn():
    """All with one operator in a ring of 16 elements."""
    task = PolynomialArithmetic(1, modulus=4, terms=2)
    polynomials = [Expression("", coefficients=pair) for pair in itertools.product(range(4), repeat=2)]
    every = [Expression("-", (a,)) for a in polynomials]
    every += [Expression(symbol, pair) for symbol in "+*o" for pair in itertools.product(polynomials, repeat=2)]
    held_out = dict(zip(every, task.held_out(task.batch(every)).tolist(), strict=True))
    for split, wanted in (("train", False), ("test", True)):
        # a given one has probability 1/1024 at least, and is missed by 20,000 draws with e^-19 at most
        drawn = set(task.expressions(task.sample(20_000, split=split)))
        assert drawn == {expression for expression, out in held_out.items() if out is wanted} != set()


def test_every_text_of_five_tokens_is_an_expression_or_refused():
    """A coefficient, an operator with one operand, one with two, and the empty position: 4^5 texts.

    There is room for one operator: ``00-`` and ``0000+``.
    """
    task = PolynomialArithmetic(1, modulus=4, terms=2)
    good = {
        (*[task.vocab_size - 2] * (5 - len(text)), *("0123-+".index(symbol) for symbol in text))
        for text in ("00-", "0000+")
    }
    tokens = (0, 4, 5, task.vocab_size - 2)
    for row in itertools.product(tokens, repeat=5):
        prompts = torch.tensor([[*row, task.vocab_size - 4]])
        batch = Batch(prompts, torch.zeros(1, 2, dtype=torch.int64))
        if row in good:
            assert task.solve(batch).tolist() == [[0, 0]]
        else:
            with pytest.raises(UsageError, match="no expression"):
                task.solve(batch)


def test_an_operator_within_a_polynomial_is_refused():
    """``00 0-0 +``, which would do without the minus."""
    task = PolynomialArithmetic(2, modulus=4, terms=2)
    empty, equals = task.vocab_size - 2, task.vocab_size - 4
    for row, refused in (((0, 0, 0, 4, 0, 5), True), ((0, 0, 0, 0, 4, 5), False)):
        batch = Batch(torch.tensor([[empty, empty, *row, equals]]), torch.zeros(1, 2, dtype=torch.int64))
        if refused:
            with pytest.raises(UsageError, match="no expression"):
                task.solve(batch)
        else:
            assert task.solve(batch).tolist() == [[0, 0]]


def test_questions_that_are_none():
    """The first is named, whoever reads it; coefficients without end overrun nothing."""
    task = PolynomialArithmetic(8)
    batch = task.sample(3)
    batch.prompts[1, : task.question_length] = 1
    for reader in (task.solve, task.held_out, task.expressions):
        with pytest.raises(UsageError, match="batch has a question that is no expression of .* the first at 1"):
            reader(batch)


@pytest.mark.parametrize("objective", [TeacherForcing(), Teacherless()])
def test_it_trains(objective):
    task = PolynomialArithmetic(1, modulus=4, terms=2, pauses=1)
    settings = Settings(batch_size=32, warmup=5, learning_rate=3e-3)
    result = train(model_for(task, layers=1), task, objective, steps=20, settings=settings, evaluate_count=50)
    assert result.losses.shape == (20, 2) and len(result.evaluations[-1].forced) == 2
    assert result.losses[-1].mean() < result.losses[0].mean()


@pytest.mark.parametrize(
    "text, message",
    [
        ("", "at 0 it has '' and must have coefficients, a minus or a bracket"),
        ("12+34", r"at 2 it has '\+' and must have its end"),
        ("(12-34)", r"at 3 it has '-' and must have one of \+ \* o"),
        ("(12+34", "at 6 it has '' and must have a closing bracket"),
        ("(12+34))", r"at 7 it has '\)' and must have its end"),
        ("(1\N{SUPERSCRIPT TWO}+34)", r"at 2 .* must have one of"),
        ("-" * 100_000 + "12", "text has 100000 operators or brackets; it must have at most 100"),
        ("(" * 100_000 + "12", "text has 100000 operators or brackets"),
    ],
)
def test_texts_that_are_none(text, message):
    with pytest.raises(DatasetError, match=message):
        Expression.parse(text)


A = Expression("", coefficients=(1, 2))


@pytest.mark.parametrize(
    "call, error, message",
    [
        (lambda: PolynomialArithmetic(0), UsageError, "most is 0"),
        (lambda: PolynomialArithmetic(101), UsageError, "most is 101; it must be .* <= 100"),
        (lambda: PolynomialArithmetic(3, fewest=4), UsageError, "fewest is 4; it must be .* <= 3"),
        (lambda: PolynomialArithmetic(3, room=2), UsageError, "room is 2; it must be .* >= 3"),
        (lambda: PolynomialArithmetic(3, pauses=-1), UsageError, "pauses is -1"),
        (lambda: PolynomialArithmetic(3, modulus=11), UsageError, "modulus is 11; it must be .* <= 10"),
        (lambda: PolynomialArithmetic(3, modulus=2, terms=3), UsageError, "modulus is 2 and terms 3; .* at least 16"),
        (lambda: TASK.only(3), UsageError, "operators is 3; it must be .* <= 2"),
        (lambda: TASK.sample(0), UsageError, "n is 0"),
        (lambda: TASK.sample(3, rng=-1), UsageError, "rng is -1"),
        (lambda: TASK.sample(3, split="valid"), UsageError, "split is 'valid'"),
        (lambda: TASK.batch([]), UsageError, "expressions is empty"),
        (lambda: TASK.batch(["-12"]), UsageError, r"expressions\[0\] is '-12'; it must be an Expression"),
        (lambda: TASK.batch([A]), UsageError, r"operators of expressions\[0\] is 0"),
        (lambda: TASK.parse("---12="), UsageError, r"operators of expressions\[0\] is 3; .* <= 2"),
        (
            lambda: TASK.parse("-123"),
            UsageError,
            r"has the polynomial \(1, 2, 3\); .* 2 coefficients below 7",
        ),
        (lambda: TASK.parse("-17"), UsageError, r"has the polynomial \(1, 7\)"),
        (lambda: TASK.parse("-12=56"), DatasetError, "text is '-12=56'; the answer is 65"),
        (lambda: TASK.is_correct(TASK.sample(3), torch.zeros(3, 3)), UsageError, r"answers has shape \(3, 3\)"),
        (lambda: TASK.solve(PolynomialArithmetic(1).sample(2)), UsageError, r"batch has prompts of shape \(2, 12\)"),
        (lambda: Expression("/", (A, A)), DatasetError, "expression has symbol '/', 2 operands"),
        (lambda: Expression("-", (A, A)), DatasetError, "expression has symbol '-', 2 operands"),
        (lambda: Expression("", coefficients=(1, 10)), DatasetError, r"expression has coefficients \(1, 10\)"),
        (lambda: Expression("", (A,), (1,)), DatasetError, "and 1 operands; a polynomial has"),
    ],
)
def test_wrong_calls(call, error, message):
    with pytest.raises(error, match=message):
        call()
