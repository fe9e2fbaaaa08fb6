"""Mutants of catalogue entries: files compiled again with one mutation, and played.

An entry's file, the catalogue files that it imports and, for rules that carry their structure,
`groves` are compiled in memory under names of their own, with one `mutation` in one of them. The
entry of the same key is taken from what comes out, on the setting of the original: the rules
change, who takes part does not.

A mutation counts for an entry if its rules evaluate the site when they are played, or, for numbers
that are fixed before (a reserve, a default), if the outcomes change. What does not compile, raises,
returns other shapes, divides by zero or mixes the rows of a batch is no rule, and is counted apart.
"""

from __future__ import annotations

import ast
import importlib
import random
import sys
import types as python_types
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import zip_longest
from typing import Any

import numpy as np

import mechkit.mechanism as mechanism_file
from mechkit.catalogue import MODULES, entry_of
from mechkit.mechanism import Mechanism
from tests.mutation import Mutation, apply, is_number, mutations, path_of, source
from tests.oracle_frames import Mesh, frames, run

PACKAGE, GROVES = "mechkit.catalogue", "mechkit.groves"
ROWS = 400
"""How many profiles are also played alone."""


class NoRuleError(Exception):
    """The mutant is no mechanism: it does not load, raises, or returns something else."""


@dataclass(frozen=True, eq=False)
class Mutant:
    """The mechanism that came out. differs: whether its outcomes do, somewhere on the grid."""

    key: str
    mutation: Mutation
    mechanism: Mechanism
    differs: bool


# Compiling again --------------------------------------------------------------------------------


class _Watch(ast.NodeTransformer):
    """Wraps every site into a call that notes when it is evaluated."""

    def __init__(self, sites: dict[ast.AST, int]) -> None:
        self.sites = sites

    def visit(self, node: ast.AST) -> ast.AST:
        number = self.sites.get(node)
        made = self.generic_visit(node)
        if number is None or not isinstance(made, ast.expr) or isinstance(made, ast.Slice):
            return made
        call = ast.Name("__seen__", ast.Load())
        return ast.Call(call, [ast.Constant(number), made], [])


def _imports(file: str) -> list[str]:
    """The other catalogue files whose rules this one imports."""
    return [
        node.module
        for node in ast.walk(ast.parse(source(file)))
        if isinstance(node, ast.ImportFrom)
        and node.module is not None
        and node.module.startswith(f"{PACKAGE}.")
        and node.module != f"{PACKAGE}.entry"
    ]


@cache
def home(key: str) -> str:
    """The file in which an entry is declared."""
    for name in MODULES:
        file = f"{PACKAGE}.{name}"
        if any(entry.key == key for entry in importlib.import_module(file).ENTRIES):
            return file
    raise KeyError(key)


@cache
def files(key: str) -> tuple[str, ...]:
    """The files whose functions an entry's rules may call, those that are imported first."""
    found = [] if entry_of(key).make().structure is None else [GROVES]

    def add(file: str) -> None:
        for other in _imports(file):
            add(other)
        if file not in found:
            found.append(file)

    add(home(key))
    return tuple(found)


def _make(key: str, trees: dict[str, ast.Module], more: dict[str, Any], ready: Any = None) -> Any:
    """The mechanism of an entry from files compiled afresh, on the setting of the original.

    more: names that each file finds defined. ready(): called before it is made.
    """
    loaded, groves = {}, mechanism_file.groves
    try:
        for file, tree in trees.items():
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module in trees:
                    node.module = f"mutated {node.module}"
            module = python_types.ModuleType(f"mutated {file}")
            module.__file__ = path_of(file)
            vars(module).update(more.get(file, {}))
            # Dataclasses look up the module that they are declared in.
            sys.modules[module.__name__] = loaded[file] = module
            ast.fix_missing_locations(tree)
            exec(compile(tree, module.__file__, "exec"), vars(module))
        entry = next(e for e in loaded[home(key)].ENTRIES if e.key == key)
        if ready is not None:
            ready()
        mechanism_file.groves = loaded.get(GROVES, groves)
        made = entry.make()
    finally:
        mechanism_file.groves = groves
        for module in loaded.values():
            sys.modules.pop(module.__name__, None)
    return replace(made, setting=entry_of(key).make().setting, rebuild=None)


def original(key: str) -> Mechanism:
    """The mechanism of an entry from its files compiled again, unchanged."""
    return _make(key, {file: ast.parse(source(file)) for file in files(key)}, {})


def build(key: str, mutation: Mutation) -> Mechanism:
    """The mechanism with one change. Raises NoRuleError."""
    trees = {file: ast.parse(source(file)) for file in files(key)}
    apply(trees[mutation.file], mutation)
    try:
        made = _make(key, trees, {})
    except Exception as error:
        raise NoRuleError(f"{type(error).__name__}: {error}") from error
    # What `groves` says of its rules is no longer so when it is `groves` that was changed.
    structure = None if mutation.file == GROVES else made.structure
    return replace(made, structure=structure, name=f"{key} [{mutation}]")


def watch(key: str) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """The sites (file, node) that are evaluated when an entry is played, and when it is made."""
    seen: set[tuple[str, int]] = set()
    trees, more = {}, {}
    for file in files(key):
        tree = ast.parse(source(file))
        numbers = {m.node for m in mutations(file)}
        nodes = list(enumerate(ast.walk(tree)))
        # The bounds stand for their slice, which is no expression.
        sites: dict[ast.AST, int] = {}
        for number, node in nodes:
            if number in numbers and isinstance(node, ast.Slice):
                for bound in (node.lower, node.upper):
                    if bound is not None:
                        sites[bound] = number
        sites |= {n: k for k, n in nodes if k in numbers and not isinstance(n, ast.Slice)}

        def note(number: int, value: Any, file: str = file) -> Any:
            seen.add((file, number))
            return value

        trees[file] = _Watch(sites).visit(tree)
        more[file] = {"__seen__": note}
    mechanism = _make(key, trees, more, seen.clear)
    at_make = set(seen)
    seen.clear()
    outcomes(mechanism, axis_of(key))
    return seen, at_make


def fixed_before(key: str) -> set[tuple[str, int]]:
    """Sites of what stands outside all functions: an entry's own call, numbers with names, and
    defaults of arguments."""
    found = set()
    for file in files(key):
        tree = ast.parse(source(file))
        inside: set[ast.AST] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args:
                first = node.args[0]
                if isinstance(first, ast.Constant) and first.value == key:
                    inside.update(ast.walk(node))
            elif isinstance(node, ast.arguments):
                defaults = [d for d in (*node.defaults, *node.kw_defaults) if d is not None]
                inside.update(n for d in defaults for n in ast.walk(d))
        for node in tree.body:
            plain = isinstance(node, ast.Assign) and not isinstance(node.value, ast.Tuple)
            if plain:
                inside.update(ast.walk(node))
        found |= {(file, k) for k, node in enumerate(ast.walk(tree)) if node in inside}
    return found


# Playing ----------------------------------------------------------------------------------------


def constants(key: str) -> set[Fraction]:
    """The numbers that an entry's own rules and named numbers compare with or add."""
    found = set()
    for file in (home(key),):
        tree = ast.parse(source(file))
        own = [
            node
            for node in ast.walk(tree)
            if isinstance(node, ast.Call)
            and node.args
            and isinstance(node.args[0], ast.Constant)
            and node.args[0].value == key
        ]
        own += [n for n in tree.body if isinstance(n, ast.Assign)]  # type: ignore[misc]
        for part in own:
            if isinstance(part, ast.Assign) and isinstance(part.value, ast.Tuple):
                continue
            for node in ast.walk(part):
                if is_number(node):
                    found.add(Fraction(str(node.value)))  # type: ignore[attr-defined]
    return found


@cache
def axis_of(key: str) -> tuple[Fraction, ...]:
    """What every coordinate of a type may be on the grid: the halves of each box (the quarters,
    for one coordinate), and the numbers in the rule."""
    space = entry_of(key).make().setting.types
    parts = 4 if space.size == 1 and space.agents <= 4 else 2
    pairs = set(zip(space.low.ravel().tolist(), space.high.ravel().tolist(), strict=True))
    found = {lo + (hi - lo) * Fraction(k, parts) for lo, hi in pairs for k in range(parts + 1)}
    least, most = min(lo for lo, _ in pairs), max(hi for _, hi in pairs)
    if space.size == 1:
        found |= {c for c in constants(key) if least < c < most}
    return tuple(sorted(found))


def outcomes(
    mechanism: Mechanism, axis: tuple[Fraction, ...]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Allocation and payments on the whole grid, in each public situation and at each draw."""
    return [(x, p) for frame in frames(mechanism, Mesh(5, axis)) for _, _, x, p in frame.outcomes]


def _same(a: list[tuple[np.ndarray, np.ndarray]], b: list[tuple[np.ndarray, np.ndarray]]) -> bool:
    return all(
        np.allclose(x, y, rtol=0, atol=1e-9) and np.allclose(p, q, rtol=0, atol=1e-9)
        for (x, p), (y, q) in zip(a, b, strict=True)
    )


def _by_rows(mechanism: Mechanism, axis: tuple[Fraction, ...]) -> None:
    """Raise NoRuleError where a row's outcome depends on the batch that it is in."""
    frame = frames(mechanism, Mesh(5, axis))[0]
    public = frame.scene.draws[0][1]
    rows = np.random.default_rng(0).permutation(len(frame.profiles))[:ROWS]
    picked = frame.profiles[rows]
    x, p = run(mechanism, picked, public)
    # Alone, every one of them; a rule may also ask for the size of the batch in few profiles only.
    alone = [run(mechanism, picked[k : k + 1], public) for k in range(len(rows))]
    y, q = (np.concatenate(parts) for parts in zip(*alone, strict=True))
    if not _same([(x, p)], [(y, q)]):
        raise NoRuleError("the rows of a batch are mixed")


def in_turns(key: str, seed: int) -> Iterator[Mutation]:
    """All mutations that may matter for an entry, drawn by lot, one kind after the other."""
    evaluated, at_make = watch(key)
    sites = evaluated | at_make | fixed_before(key)
    kinds: dict[str, list[Mutation]] = {}
    for file in files(key):
        for m in mutations(file):
            if (file, m.node) in sites:
                kinds.setdefault(m.kind, []).append(m)
    rng = random.Random(f"{seed} {key}")
    for kind in sorted(kinds):
        rng.shuffle(kinds[kind])
    for turn in zip_longest(*(kinds[kind] for kind in sorted(kinds))):
        yield from (m for m in turn if m is not None)


def mutants(key: str, count: int, *, seed: int = 0) -> tuple[list[Mutant], dict[str, int]]:
    """The first mutants of an entry that are rules and that its play reaches, and how many were
    discarded ("no rule") or passed over ("not reached") on the way."""
    axis, before_it = axis_of(key), entry_of(key).make()
    before, (evaluated, _) = outcomes(before_it, axis), watch(key)
    found: list[Mutant] = []
    discarded = {"no rule": 0, "not reached": 0}
    for mutation in in_turns(key, seed):
        if len(found) == count:
            break
        try:
            mechanism = build(key, mutation)
            after = played(mechanism, axis)
        except NoRuleError:
            discarded["no rule"] += 1
            continue
        differs = not _same(before, after)
        if not differs and (mutation.file, mutation.node) not in evaluated:
            discarded["not reached"] += 1
            continue
        found.append(Mutant(key, mutation, mechanism, differs))
    return found, discarded


def played(mechanism: Mechanism, axis: tuple[Fraction, ...]) -> list[tuple[np.ndarray, np.ndarray]]:
    """As `outcomes`; raises NoRuleError where the rule raises or mixes the rows of a batch."""
    try:
        # A quotient by zero is no outcome, also where what is made of it is finite.
        with np.errstate(divide="raise", invalid="raise"):
            after = outcomes(mechanism, axis)
            _by_rows(mechanism, axis)
    except NoRuleError:
        raise
    except Exception as error:
        raise NoRuleError(f"{type(error).__name__}: {error}") from error
    return after
