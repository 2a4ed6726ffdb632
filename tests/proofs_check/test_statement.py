"""A verdict is that of the weakest step, and a step that is not plainly true is no step."""

from __future__ import annotations

import pytest
import sympy as sp

from proofs_check.statement import Statement


def statement(**words):
    return Statement("bias/loss", source="here", **{"verdict": "proved", **words})


def add(made, kind, value=True):
    scope = {"certifies": {"domain": "V < 4"}, "checks": {"instances": "two"}, "confirms": {"instances": "two"}}
    getattr(made, kind)(f"a step that {kind}", **scope.get(kind, {}))(lambda: value)
    return made


@pytest.mark.parametrize(
    ("kinds", "verdict"),
    [
        (["proves"], "proved"),
        (["proves", "certifies"], "certified on a domain"),
        (["checks", "certifies", "proves"], "checked on instances"),
        (["proves", "confirms"], "proved"),
        (["refutes"], "refuted as written"),
        (["refutes", "proves", "certifies"], "refuted as written; repaired: certified on a domain"),
        (["refutes", "confirms"], "refuted as written"),
        ([], "failed"),
        (["confirms"], "failed"),
    ],
)
def test_the_weakest_step_decides(kinds, verdict):
    made = statement()
    for kind in kinds:
        add(made, kind)
    assert made.run().verdict == verdict


def test_an_argument_alone_leaves_it_open():
    made = add(statement(verdict="open", missing="a computation"), "proves")
    made.argues("by inspection")
    report = made.run()
    assert report.verdict == "open" and report.as_recorded
    assert [step.kind for step in report.steps] == ["proved", "argued; open"]


@pytest.mark.parametrize("verdict", ["open", "open: source incomplete"])
def test_what_is_missing_outweighs_every_step(verdict):
    assert add(statement(verdict=verdict, missing="the text"), "proves").run().verdict == verdict


def test_documentation_has_nothing_to_compute():
    assert statement(verdict="documentation").run().as_recorded
    assert add(statement(verdict="documentation"), "proves").run().verdict == "failed"


@pytest.mark.parametrize("value", [False, sp.true, None, 1, [True], "yes", sp.Symbol("x") > 0], ids=repr)
@pytest.mark.parametrize("kind", ["proves", "certifies", "checks", "confirms", "refutes"])
def test_whatever_is_not_true_fails(kind, value):
    report = add(add(statement(), "proves"), kind, value).run()
    assert report.verdict == "failed" and not report.as_recorded
    assert [step.holds for step in report.steps] == [True, False] and report.steps[1].trouble


def test_a_step_that_breaks_fails_and_the_others_go_on():
    made = statement()
    made.proves("a division by zero")(lambda: 1 // 0 == 1)
    report = add(made, "proves").run()
    assert [step.trouble for step in report.steps] == ["ZeroDivisionError: integer division or modulo by zero", ""]
    assert report.verdict == "failed"
