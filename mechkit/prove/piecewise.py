"""Proofs for every real type: by written-out case splits, else by two solvers.

For piecewise-linear rules `proofs.paths` follows the rule through every case and writes down, at
each leaf, rational Farkas multipliers; `proofs.checker` checks that tree, without a solver, before
it counts. Where the tree would be too large, or the rule multiplies reports, z3 and cvc5 read one
and the same SMT-LIB text, and the proof says that it rests on them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import numpy as np

from mechkit.deviations import FACTORS
from mechkit.mechanism import Mechanism
from mechkit.properties import Property
from mechkit.prove import symmetry
from mechkit.prove.attempt import Attempt, Checked, Found, GaveUp, Proved
from mechkit.prove.exhaustive import beside, extent, sizes
from mechkit.prove.problem import Problem, problems
from mechkit.verdict import seconds_text
from mechkit.views import Case
from proofs import checker, exact, paths, smt
from proofs.evaluation import evaluate
from proofs.smtlib import gathered, smtlib
from proofs.symbolic import Symbolic, symbols

LEAVES = 400
"""How many cases a written-out tree may have, per problem."""
CHOICES = 64
PROBLEMS = 400


Parts = list[dict[str, Any]]


def prove(mechanism: Mechanism, prop: Property, *, seconds: float, coalition: int = 2) -> Attempt:
    """Prove a property for every real type, each `who` in turn, or find a counterexample.

    One agent stands for others where `symmetry` can show that the mechanism treats them alike.
    """
    deadline = time.monotonic() + seconds
    todo = problems(mechanism, prop, coalition)
    groups = symmetry.candidates(mechanism, prop, todo)
    first = symmetry.representatives(todo, groups)
    answer = _solved(first, deadline, seconds)
    if not isinstance(answer, tuple):
        return answer
    parts, tools = answer
    alike: list[symmetry.Group] = []
    grounds: Parts = []
    for group in groups:
        owed = symmetry.relabellings(mechanism, prop, [group])
        # Two sides of one rule are often the same terms, however many cases it has.
        shown = _solved(owed, min(deadline, time.monotonic() + 0.3 * seconds), seconds, 0.25)
        if isinstance(shown, tuple):
            alike.append(group)
            grounds += shown[0]
            tools = [*tools, *(tool for tool in shown[1] if tool not in tools)]
    if len(alike) < len(groups):
        # Somebody is not like the others: its own problems come in turn.
        needed = symmetry.representatives(todo, alike)
        answer = _solved([p for p in needed if p not in first], deadline, seconds)
        if not isinstance(answer, tuple):
            return answer
        written = {id(p): part for p, part in zip(first, parts, strict=True)}
        rest = iter(answer[0])
        parts = [written.get(id(p)) or next(rest) for p in needed]
        tools = [*tools, *(tool for tool in answer[1] if tool not in tools)]
    parts = [*parts, *grounds]
    asked = any(part["kind"] == "smt" for part in parts)
    argument: dict[str, Any] = {"kind": "problems", "coalition": coalition, "parts": parts}
    if alike:
        argument["alike"] = [list(group) for group in alike]
    return Proved(
        method=method(parts, alike),
        domain=domain(mechanism, prop, coalition),
        tool=", ".join(tools) if asked else "rational arithmetic",
        argument=argument,
    )


def _solved(
    todo: list[Problem], deadline: float, seconds: float, share: float = 1.0
) -> tuple[Parts, list[str]] | Found | GaveUp:
    """The parts of a proof of every problem, and the solvers on whose word they rest.

    share: of the time that is usually given to writing a problem out."""
    parts: Parts = []
    tools: list[str] = []
    why = ""
    if len(todo) > PROBLEMS:
        return GaveUp(f"{len(todo)} cases of who deviates, more than {PROBLEMS}")
    for problem in todo:
        left = deadline - time.monotonic()
        if left <= 0:
            return GaveUp(f"the time limit of {seconds_text(seconds)} is reached")
        # What was too large to write out for one agent is too large for the next.
        answer: tuple[dict[str, Any], list[str]] | Found | GaveUp = GaveUp(why)
        if not why:
            answer = _by_paths(problem, min(left, share * max(1.0, 0.2 * seconds)))
        if isinstance(answer, GaveUp):
            why = answer.reason
            answer = _by_solvers(problem, max(0.5, deadline - time.monotonic()))
            if isinstance(answer, GaveUp):
                return GaveUp(f"{why}; by solvers: {answer.reason}")
        if isinstance(answer, Found):
            return answer
        part, used = answer
        parts.append(
            {"check": problem.check, "family": problem.family, "who": list(problem.who), **part}
        )
        tools += [tool for tool in used if tool not in tools]
    return parts, tools


def method(parts: Parts, alike: Any) -> str:
    """What a proof in these parts is called; alike: the groups for which one agent stands."""
    trees = [part["trees"] for part in parts if part["kind"] == "tree"]
    text = f"case splits, checked ({sum(map(leaves, trees))} cases)" if trees else "equal terms"
    if any(part["kind"] == "smt" for part in parts):
        text = "smt"
    return f"{text}; one agent for its role, proved alike" if alike else text


def leaves(trees: Any) -> int:
    """How many cases some trees end in."""
    return sum(node[0] == "so" for tree in trees for node in tree)


def domain(mechanism: Mechanism, prop: Property, coalition: int) -> str:
    """The domain of a proof in words."""
    space = mechanism.setting.types
    text = f"{mechanism.setting.name}, types in {extent(space)}"
    text += beside(mechanism)
    if any(check.family == "scaling" for check in prop.checks(mechanism.setting)):
        text += f", factors in [{FACTORS.low[0]}, {FACTORS.high[0]}]"
    return text + sizes(prop, mechanism, coalition)


def _by_paths(
    problem: Problem, seconds: float
) -> tuple[dict[str, Any], list[str]] | Found | GaveUp:
    deadline = time.monotonic() + seconds
    rows, bounds = problem.constraints()
    constraints = (rows, bounds) if rows else None
    trees: list[Any] = []
    try:
        boxes = list(problem.boxes(CHOICES))
    except ValueError as error:
        return GaveUp(str(error))
    for done, box in enumerate(boxes):
        # Boxes are much alike: two of them tell early whether all would be too large.
        if done > 1 and leaves(trees) * len(boxes) > LEAVES * done:
            return GaveUp(f"about {leaves(trees) * len(boxes) // done} paths, more than {LEAVES}")
        left = deadline - time.monotonic()
        if left <= 0:
            return GaveUp("written-out case splits took too long")
        try:
            result = paths.explore(
                problem.margins, box, constraints, leaves=LEAVES - leaves(trees), seconds=left
            )
        except Exception as error:
            # The rule has no meaning on linear forms: a table look-up, an opaque function.
            return GaveUp(f"{type(error).__name__}: {error}")
        if isinstance(result, paths.GaveUp):
            return GaveUp(result.reason)
        if isinstance(result, paths.Violation):
            return Found(problem.check, _point(problem, result.point))
        trees.append(result.tree)
    try:
        for box, tree in zip(boxes, trees, strict=True):
            checker.check(problem.margins, box, constraints, tree)
    except checker.Rejected as error:
        return GaveUp(f"the checker rejects what the prover wrote: {error}")
    if not leaves(trees):
        return GaveUp("no type meets the constraints")
    return {"kind": "tree", "trees": trees}, []


def _point(problem: Problem, point: Any) -> Case:
    flat = np.empty(problem.size, dtype=object)
    flat[:] = [Fraction(x) for x in point]
    return problem.case(flat)


def question(problem: Problem, draws: dict[int, Fraction]) -> tuple[Any, Any, Any]:
    """(unknowns, assumptions, claims) of a problem over symbolic terms, at some draws."""
    algebra = Symbolic()
    pieces = []
    for k, level in enumerate(problem.levels):
        if k in draws:
            pieces.append(exact([draws[k]], algebra=algebra))
        else:
            pieces.append(symbols(f"x{k}", (1,), algebra=algebra, levels=level))
    unknowns = np.concatenate(pieces)
    lows, highs = np.empty(problem.size, dtype=object), np.empty(problem.size, dtype=object)
    lows[:], highs[:] = problem.lows, problem.highs
    assumptions = [unknowns >= lows, unknowns <= highs]
    for row, bound in zip(*problem.constraints(), strict=True):
        terms = [unknowns[k] * c for k, c in enumerate(row) if c]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        assumptions.append(total <= bound)
    return unknowns, assumptions, problem.margins(unknowns)


def _by_solvers(
    problem: Problem, seconds: float
) -> tuple[dict[str, Any], list[str]] | Found | GaveUp:
    deadline = time.monotonic() + seconds
    texts: list[str] = []
    tools: list[str] = []
    evident = True
    for draws in problem.draws():
        left = deadline - time.monotonic()
        if left <= 0:
            return GaveUp("the time ran out")
        try:
            unknowns, assumptions, claims = question(problem, draws)
            if evident and _evident(claims):
                texts.append(smtlib(assumptions, claims))
                continue
            evident = False
            # The limit is each solver's: two that come to no answer take it all together.
            decision = smt.decide(assumptions, claims, seconds=left / 2)
        except smt.SolversDisagree:
            raise
        except Exception as error:
            # The rule has no symbolic meaning: an opaque function, an unsupported one.
            return GaveUp(f"{type(error).__name__}: {error}")
        if decision.status == "unknown":
            return GaveUp(decision.reason)
        if decision.status == "refuted":
            assert decision.model is not None
            return Found(problem.check, _point(problem, evaluate(unknowns, decision.model)))
        texts.append(decision.text)
        tools += [tool for tool in decision.tools if tool not in tools]
    if not texts:
        return GaveUp("there is nothing to ask")
    if evident:
        return {"kind": "terms"}, []
    return {"kind": "smt", "texts": texts}, tools


def _evident(claims: Any) -> bool:
    """Whether the claims, and that they are defined, come out true as the terms are built."""
    return all(condition is True for condition in gathered(claims))


# Checking and explaining ------------------------------------------------------------------------


def check(
    mechanism: Mechanism, prop: Property, data: Mapping[str, Any], *, seconds: float
) -> Checked:
    """Build every problem again from the mechanism as it is now, and check what is said of it."""
    argument = data["argument"]
    coalition, parts, alike = (argument.get(key) for key in ("coalition", "parts", "alike"))
    if not isinstance(parts, list):
        return Checked(False, "the argument has no parts")
    todo, expected = problems(mechanism, prop, coalition), domain(mechanism, prop, coalition)
    if alike is not None:
        shown = symmetry.interchangeable(mechanism, prop)
        groups = [g for g in shown if isinstance(alike, list) and list(g) in alike]
        if alike != [list(g) for g in groups]:
            return Checked(False, f"the agents of {alike} cannot stand for one another")
        todo = symmetry.representatives(todo, groups)
        todo += symmetry.relabellings(mechanism, prop, groups)
    if data["domain"] != expected:
        return Checked(False, f"the domain is {expected!r}, not {data['domain']!r}")
    if len(todo) != len(parts):
        return Checked(False, f"{len(parts)} parts for {len(todo)} problems: some are left out")
    solvers: set[str] = set()
    for problem, part in zip(todo, parts, strict=True):
        try:
            named = (part["check"], part["family"], tuple(part["who"]))
            if named != (problem.check, problem.family, problem.who):
                return Checked(False, f"a part for {named}, expected one for {problem.who}")
            if part["kind"] == "tree":
                _check_trees(problem, part["trees"])
            elif part["kind"] == "smt":
                solvers |= _check_texts(problem, part["texts"], seconds)
            elif part["kind"] == "terms":
                if not all(_evident(question(problem, draws)[2]) for draws in problem.draws()):
                    return Checked(False, f"{problem.family} {problem.who}: the terms differ")
            else:
                return Checked(False, f"a part of unknown kind {part['kind']!r}")
        except checker.Rejected as error:
            return Checked(False, f"{problem.family} {problem.who}: {error}")
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            return Checked(False, f"a part that cannot be read: {type(error).__name__}: {error}")
    if data["method"] != method(parts, alike):
        return Checked(False, f"the method is {method(parts, alike)!r}, not {data['method']!r}")
    tool = r"(z3|cvc5) [\w.]+(, (z3|cvc5) [\w.]+)*" if solvers else "rational arithmetic"
    if not re.fullmatch(tool, str(data["tool"])):
        return Checked(False, f"the tool is not {data['tool']!r}")
    if solvers:
        return Checked(True, f"asked again: {', '.join(sorted(solvers))}")
    return Checked(True, "every case was checked in rationals, without a solver")


def _check_trees(problem: Problem, trees: Any) -> None:
    rows, bounds = problem.constraints()
    boxes = list(problem.boxes(CHOICES))
    if not isinstance(trees, list) or len(trees) != len(boxes):
        raise checker.Rejected(f"trees for {len(boxes)} choices of the discrete types are missing")
    if not leaves(trees):
        raise checker.Rejected("no type meets the constraints")
    for box, tree in zip(boxes, trees, strict=True):
        checker.check(problem.margins, box, (rows, bounds) if rows else None, tree)


def _check_texts(problem: Problem, texts: Any, seconds: float) -> set[str]:
    draws = list(problem.draws())
    if not isinstance(texts, list) or len(texts) != len(draws) or not texts:
        raise checker.Rejected(f"texts for {len(draws)} draws are missing")
    return {
        tool
        for text, draw in zip(texts, draws, strict=True)
        for tool in _check_text(problem, draw, text, seconds)
    }


def _check_text(
    problem: Problem, draws: dict[int, Fraction], text: Any, seconds: float
) -> set[str]:
    _, assumptions, claims = question(problem, draws)
    if text != smtlib(assumptions, claims):
        raise checker.Rejected("the text is not the question that this mechanism raises")
    tools = set()
    for solver in ("cvc5", "z3"):
        answer = smt.ask(text, solver=solver, seconds=seconds)
        if answer.status == "sat":
            raise checker.Rejected(f"{answer.tool} finds a counterexample")
        if answer.status == "unsat":
            tools.add(answer.tool)
    if not tools:
        raise checker.Rejected("neither solver could confirm the text in time")
    return tools


def explain(argument: Mapping[str, Any]) -> list[str]:
    """The argument in words."""
    parts = argument.get("parts", [])
    trees, texts, terms = (
        [part for part in parts if part.get("kind") == kind] for kind in ("tree", "smt", "terms")
    )
    lines = [
        f"Problems: {len(parts)}, one for each choice of who acts (and each part of the claim). In "
        "each the rule is run on unknown reports."
    ]
    if trees:
        cases = sum(leaves(part["trees"]) for part in trees)
        lines.append(
            f"Written out: {len(trees)}. The rule is followed through every answer to its own "
            f"comparisons, {cases} cases in all. In each it is linear, and positive multiples of "
            "the inequalities of that case, added up, contradict a negative margin (Farkas 1902). "
            "The multipliers are in the file; checking them takes additions of fractions only."
        )
    if terms:
        lines.append(
            f"By equal terms: {len(terms)}. What is compared is one and the same term of the "
            "unknown reports, so that no case is left to look at."
        )
    if texts:
        lines.append(
            f"By solvers: {len(texts)}. The cases are too many to write out, or the "
            "rule multiplies reports; the negated claim is an SMT-LIB text that the solvers named "
            "above find unsatisfiable. These parts rest on the solvers' word."
        )
    return lines + symmetry.explain(argument.get("alike", []))
