"""`PolynomialArithmetic`: expressions of polynomials over a finite field, and their values."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ....doors import generator, one_of, whole
from ....errors import DatasetError, UsageError
from ..batch import Batch
from ..splits import Keys, drawn_in_split, hashed, held_out
from ..task import SPLITS, Task
from .expression import MOST_OPERATORS, Expression
from .ring import OPERATORS, Coefficients, evaluate

__all__ = ["PolynomialArithmetic"]

Ids = NDArray[np.int64]
# Tokens behind the coefficients 0 .. p-1: the operators, "=", a pause, an empty position, the dummy.
SYMBOLS = "".join(OPERATORS) + "=._$"
# Elements of the ring at least, so that of every number of operators some expressions are held out and some are not.
FEWEST_ELEMENTS = 16


class PolynomialArithmetic(Task):
    """Values of expressions in F_p[X]/(X^n) with m operators: minus, plus, times and composition.

    A question is the expression with every operator behind its operands, one token a coefficient (the constant term
    first) or operator, then ``=`` and the pauses; the answer is the n coefficients of the value. All questions have
    the length of the longest that there is room for: shorter ones have empty positions in front, so that the answer
    always begins at the same position. Their number tells a model the length of the question, nothing else.

    Every operator reduces: powers from X^n on are dropped at once, and what is composed are the reduced polynomials.
    The convention matters, composition is not defined on classes (`multitoken/composition`).

    Parameters
    ----------
    most : int
        m is uniform from ``fewest`` to ``most``.
    fewest : int
    room : int, optional
        The most operators that a question has room for, ``most`` if None: with more of it `only` makes questions that
        are longer than those for training, for the same model.
    pauses : int
        Positions between ``=`` and the answer at which a model may compute.
    modulus : int
        p, 2 to 10; a prime for a field, which nothing here needs.
    terms : int
        n.

    Raises
    ------
    UsageError
        If a number is out of range, or the ring has fewer than 16 elements.

    Notes
    -----
    Source: 2404.19737 Sec. 4.2, App. K (`multitoken/arithmetic`); p, n, m and the pauses (5 or 10) are the paper's. Of
    the rest it says that operators and coefficients are uniform. Here every operator is uniform among the four, and
    if it has two operands the operators left to it are split between them uniformly.

    Whether an expression is held out is decided by a hash in which the order of summands and of factors does not count,
    nor empty positions and pauses, so no question of the tests is trained on with its operands exchanged.

    Learned positions in front of the longest question in training are never trained; for questions beyond it take a
    model with rotary ones, or expect nothing.

    Examples
    --------
    >>> task = PolynomialArithmetic(most=2, modulus=7, terms=2)
    >>> task.format(Expression.parse("(-12*34)"))
    '(-12*34)=44'
    >>> batch = task.sample(1000, rng=0)
    >>> batch.prompts.shape, batch.answers.shape
    (torch.Size([1000, 9]), torch.Size([1000, 2]))
    >>> bool(task.is_correct(batch, batch.answers).all())
    True
    """

    def __init__(
        self,
        most: int = 5,
        *,
        fewest: int = 1,
        room: int | None = None,
        pauses: int = 0,
        modulus: int = 7,
        terms: int = 5,
    ) -> None:
        self.most = whole("most", most, at_least=1, at_most=MOST_OPERATORS)
        self.fewest = whole("fewest", fewest, at_least=1, at_most=self.most)
        self.room = self.most if room is None else whole("room", room, at_least=self.most, at_most=MOST_OPERATORS)
        self.pauses = whole("pauses", pauses, at_least=0)
        self.modulus = whole("modulus", modulus, at_least=2, at_most=10)
        self.terms = whole("terms", terms, at_least=1)
        if self.modulus**self.terms < FEWEST_ELEMENTS:
            raise UsageError(
                f"modulus is {modulus} and terms {terms}; modulus ** terms must be at least {FEWEST_ELEMENTS}"
            )
        self._equals, self._pause, self._empty, self._dummy = range(self.vocab_size - 4, self.vocab_size)

    @property
    def vocab_size(self) -> int:
        """Coefficients, four operators, ``=``, a pause, the empty position and the dummy."""
        return self.modulus + len(SYMBOLS)

    @property
    def question_length(self) -> int:
        """Positions in front of ``=``: those of ``room`` operators with two operands each."""
        return self.room + (self.room + 1) * self.terms

    @property
    def max_length(self) -> int:
        """Positions of a question with its answer."""
        return self.question_length + 1 + self.pauses + self.terms

    @property
    def depth(self) -> int:
        """Four layers."""
        return 4

    @property
    def dummy(self) -> int:
        """The token ``$`` that stands for answer tokens which are not to be seen."""
        return self._dummy

    def __repr__(self) -> str:
        return (
            f"PolynomialArithmetic({self.most}, fewest={self.fewest}, room={self.room}, pauses={self.pauses}, "
            f"modulus={self.modulus}, terms={self.terms})"
        )

    def only(self, operators: int) -> PolynomialArithmetic:
        """The task of the expressions with so many operators, in questions of the same length.

        Raises
        ------
        UsageError
            If there is no room for them.

        Examples
        --------
        >>> task = PolynomialArithmetic(5, room=8)
        >>> task.only(7)
        PolynomialArithmetic(7, fewest=7, room=8, pauses=0, modulus=7, terms=5)
        """
        m = whole("operators", operators, at_least=1, at_most=self.room)
        return PolynomialArithmetic(
            m, fewest=m, room=self.room, pauses=self.pauses, modulus=self.modulus, terms=self.terms
        )

    def sample(self, n: int, rng: int | np.random.Generator = 0, *, split: str | None = None) -> Batch:
        """n expressions, drawn independently.

        Parameters
        ----------
        n : int
        rng : int or numpy.random.Generator
        split : {"train", "test"}, optional
            Draw from the expressions for training, or from those that are held out; from all if None.

        Returns
        -------
        Batch
            Int64 tensors on the CPU.

        Raises
        ------
        UsageError
            If an argument is out of range.
        """
        whole("n", n, at_least=1)
        random = generator(rng)
        if split is not None:
            one_of("split", split, SPLITS)

        def draw(count: int) -> tuple[Ids, Coefficients, Keys]:
            questions = self._draw(count, random)
            return questions, *self._read(questions)

        parts = [
            (questions[chosen], values[chosen])
            for (questions, values, _), chosen in drawn_in_split(n, split, draw, lambda drawn: held_out(drawn[2]))
        ]
        questions, values = map(np.concatenate, zip(*parts, strict=True))
        return self._batch(questions, values)

    def held_out(self, batch: Batch) -> Tensor:
        """Which questions are of the split "test"; bool (b,).

        Examples
        --------
        >>> task = PolynomialArithmetic(3)
        >>> [bool(task.held_out(task.sample(100, split=split)).any()) for split in SPLITS]
        [False, True]
        """
        return torch.from_numpy(held_out(self._read(self._questions(batch))[1]))

    def num_operators(self, batch: Batch) -> Tensor:
        """m of every question; int64 (b,)."""
        return torch.from_numpy(self._operators(self._questions(batch)))

    def expressions(self, batch: Batch) -> list[Expression]:
        """The expressions of a batch; `batch` turns them back.

        Examples
        --------
        >>> task = PolynomialArithmetic(2, modulus=3, terms=3)
        >>> found = [Expression.parse("-120"), Expression.parse("(012+(100o221))")]
        >>> task.expressions(task.batch(found)) == found
        True
        """
        questions = self._questions(batch)
        self._read(questions)  # refuses what is none
        return [self._expression(row) for row in questions.tolist()]

    def batch(self, expressions: Sequence[Expression]) -> Batch:
        """Expressions as a batch.

        Raises
        ------
        UsageError
            If there is none, or one has no operator or too many, or polynomials with another number of coefficients
            or one that is not below p.
        """
        if not expressions:
            raise UsageError("expressions is empty; it must have at least one")
        rows = np.full((len(expressions), self.question_length), self._empty, dtype=np.int64)
        for i, expression in enumerate(expressions):
            if not isinstance(expression, Expression):
                raise UsageError(f"expressions[{i}] is {expression!r}; it must be an Expression")
            whole(f"operators of expressions[{i}]", expression.num_operators, at_least=1, at_most=self.room)
            for polynomial in expression.polynomials:
                if len(polynomial) != self.terms or max(polynomial) >= self.modulus:
                    raise UsageError(
                        f"expressions[{i}] has the polynomial {polynomial}; it must have {self.terms} coefficients "
                        f"below {self.modulus}"
                    )
            tokens = self._tokens(expression)
            rows[i, -len(tokens) :] = tokens
        return self._batch(rows, self._read(rows)[0])

    def format(self, expression: Expression) -> str:
        """Question and answer as text, with brackets."""
        answer = self.batch([expression]).answers[0].tolist()
        return f"{expression.format()}=" + "".join(map(str, answer))

    def parse(self, text: str) -> Expression:
        """The expression of a question, with its answer or without.

        Raises
        ------
        DatasetError
            If it cannot be read, or the answer is wrong.
        UsageError
            If the expression is none of this task.

        Examples
        --------
        >>> PolynomialArithmetic(1, terms=2).parse("(12o34)=01").format()
        '(12o34)'
        """
        question, _, answer = text.partition("=")
        expression = Expression.parse(question)
        right = self.format(expression).partition("=")[2]
        if answer.strip() not in ("", right):
            raise DatasetError(f"text is {text!r}; the answer is {right}")
        return expression

    def solve(self, batch: Batch) -> Tensor:
        """The answers (b, n), from the questions alone.

        Raises
        ------
        UsageError
            If a question is not an expression.
        """
        return torch.from_numpy(self._read(self._questions(batch))[0])

    def is_correct(self, batch: Batch, answers: Tensor) -> Tensor:
        """Which answers (b, n) are the value; bool (b,)."""
        if answers.shape != batch.answers.shape:
            raise UsageError(f"answers has shape {tuple(answers.shape)}; it must be {tuple(batch.answers.shape)}")
        return (answers.cpu() == self.solve(batch)).all(dim=1)

    def _draw(self, count: int, random: np.random.Generator) -> Ids:
        """Questions (count, length), written from the last operator back to the first polynomial."""
        n = self.terms
        questions = np.full((count, self.question_length), self._empty, dtype=np.int64)
        end = np.full(count, self.question_length)
        # what is still to be written in front, as numbers of operators, the next one on top
        waiting = np.zeros((count, self.most + 2), dtype=np.int64)
        waiting[:, 0] = random.integers(self.fewest, self.most + 1, size=count)
        height = np.ones(count, dtype=np.int64)
        while (rows := np.flatnonzero(height)).size:
            height[rows] -= 1
            left = waiting[rows, height[rows]]
            at = rows[left == 0]
            end[at] -= n
            questions[at[:, None], end[at, None] + np.arange(n)] = random.integers(self.modulus, size=(len(at), n))
            at, left = rows[left > 0], left[left > 0] - 1
            end[at] -= 1
            symbol = random.integers(len(OPERATORS), size=len(at))
            questions[at, end[at]] = self.modulus + symbol
            one = symbol == list(OPERATORS).index("-")
            first = np.where(one, left, random.integers(left + 1))
            waiting[at, height[at]] = first
            height[at] += 1
            at, second = at[~one], (left - first)[~one]
            waiting[at, height[at]] = second
            height[at] += 1
        return questions

    def _read(self, questions: Ids) -> tuple[Coefficients, Keys]:
        """The values (b, n) and keys (b,) of questions (b, length), all rows at once, one position after another."""
        count, p, n = len(questions), self.modulus, self.terms
        values = np.zeros((count, self.room + 2, n), dtype=np.int64)  # of what has been read, the last on top
        keys = np.zeros((count, self.room + 2), dtype=np.uint64)
        height, read = np.zeros((2, count), dtype=np.int64)  # polynomials and values; coefficients of the next
        good = np.ones(count, dtype=np.bool_)
        for tokens in questions.T:
            good &= (tokens < self._equals) | ((tokens == self._empty) & (height + read == 0))
            good &= (tokens >= p) | (height <= self.room)
            at = np.flatnonzero(good & (tokens < p))
            values[at, height[at], read[at]] = tokens[at]
            read[at] += 1
            at = at[read[at] == n]
            keys[at, height[at]] = hashed(values[at, height[at]])
            height[at], read[at] = height[at] + 1, 0
            for k, (symbol, operands) in enumerate(OPERATORS.items()):
                chosen = tokens == p + k
                if not chosen.any():
                    continue
                good &= ~chosen | ((read == 0) & (height >= operands))
                at = np.flatnonzero(good & chosen)
                height[at] -= operands
                places = [height[at] + i for i in range(operands)]
                of = [keys[at, place] for place in places]
                of = [of[0] + of[1]] if symbol in "+*" else of
                keys[at, height[at]] = hashed(np.stack([np.full(len(at), k, dtype=np.uint64), *of], axis=1))
                values[at, height[at]] = evaluate(symbol, tuple(values[at, place] for place in places), p)
                height[at] += 1
        operators = self._operators(questions)
        good &= (height == 1) & (read == 0) & (operators >= 1) & (operators <= self.room)
        if not good.all():
            raise UsageError(f"batch has a question that is no expression of {self!r}, the first at {good.argmin()}")
        return values[:, 0], keys[:, 0]

    def _batch(self, questions: Ids, values: Coefficients) -> Batch:
        prompts = np.full((len(questions), self.max_length - self.terms), self._pause, dtype=np.int64)
        prompts[:, : self.question_length] = questions
        prompts[:, self.question_length] = self._equals
        return Batch(torch.from_numpy(prompts), torch.from_numpy(values))

    def _questions(self, batch: Batch) -> Ids:
        self.check("batch", batch)
        questions: Ids = batch.prompts.cpu().numpy()[:, : self.question_length]
        return questions

    def _operators(self, questions: Ids) -> Ids:
        counts: Ids = ((questions >= self.modulus) & (questions < self._equals)).sum(axis=1)
        return counts

    def _tokens(self, expression: Expression) -> list[int]:
        if not expression.symbol:
            return list(expression.coefficients)
        written = [token for part in expression.operands for token in self._tokens(part)]
        return [*written, self.modulus + list(OPERATORS).index(expression.symbol)]

    def _expression(self, tokens: list[int]) -> Expression:
        read: list[Expression] = []
        begin = next(i for i, token in enumerate(tokens) if token != self._empty)
        while begin < len(tokens):
            if tokens[begin] < self.modulus:
                read.append(Expression("", coefficients=tuple(tokens[begin : begin + self.terms])))
                begin += self.terms
                continue
            symbol = list(OPERATORS)[tokens[begin] - self.modulus]
            operands = tuple(read[-OPERATORS[symbol] :])
            del read[-OPERATORS[symbol] :]
            read.append(Expression(symbol, operands))
            begin += 1
        return read[0]
