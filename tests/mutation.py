"""Mutations of rules, by program: one small change in the source of a rule.

The source of a file is read with `ast`. Every place where a comparison, a connective, a sign, an
operator, a number, an index or the choice between the largest and the smallest decides something is
a site, and each way to change it is a mutation (after DeMillo, Lipton & Sayward 1978). What only
lays out arrays or names things is left alone. `mutated` compiles and plays what comes out.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

UNTOUCHED = frozenset({"axis", "keepdims", "kind", "dtype", "name"})
"""Arguments that say how an array lies in memory, or what something is called."""
SIBLINGS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt),
    ast.LtE: (ast.Lt, ast.GtE),
    ast.Gt: (ast.GtE, ast.Lt),
    ast.GtE: (ast.Gt, ast.LtE),
    ast.Eq: (ast.NotEq, ast.LtE),
    ast.NotEq: (ast.Eq,),
}
OPPOSITE = {"argmax": "argmin", "max": "min", "maximum": "minimum"}
OPPOSITE |= {b: a for a, b in OPPOSITE.items()}
SIGNS = {
    ast.Lt: "<", ast.LtE: "≤", ast.Gt: ">", ast.GtE: "≥", ast.Eq: "==", ast.NotEq: "!=",
    ast.Add: "+", ast.Sub: "−", ast.BitAnd: "&", ast.BitOr: "|",
}  # fmt: skip
EXCHANGED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NEGATED = frozenset({"argmax", "argmin", "sort", "argsort", "max", "min", "cumsum"})
"""Functions whose first argument is negated."""


@dataclass(frozen=True)
class Mutation:
    """One change: at the node-th node of a file in the order of ast.walk, the way-th variant."""

    file: str
    line: int
    column: int
    node: int
    way: int
    kind: str
    change: str

    def __str__(self) -> str:
        return f"{self.file.rpartition('.')[2]}.py:{self.line}:{self.column} {self.change}"


# Sites ------------------------------------------------------------------------------------------


def is_number(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and type(node.value) in (int, float)


def _negatable(node: ast.AST) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    return called and node.func.attr in NEGATED and bool(node.args)  # type: ignore[attr-defined]


def _others(value: float) -> tuple[float, float]:
    """The two numbers that a number is changed to: the next ones, or half and double."""
    return (value + 1, value - 1) if isinstance(value, int) else (value / 2, value * 2)


def path_of(file: str) -> str:
    path = importlib.import_module(file).__file__
    assert path is not None
    return path


@cache
def source(file: str) -> str:
    return Path(path_of(file)).read_text(encoding="utf-8")


def _ways(node: ast.AST, indexing: bool) -> Iterator[tuple[str, str]]:
    """(kind, change) for each way to change a node."""
    if isinstance(node, ast.Compare):
        for k, op in enumerate(node.ops):
            for other in SIBLINGS.get(type(op), ()):
                place = f" ({k + 1})" if len(node.ops) > 1 else ""
                yield "comparison", f"{SIGNS[type(op)]} → {SIGNS[other]}{place}"
    elif isinstance(node, ast.BinOp) and type(node.op) in EXCHANGED:
        swapped = EXCHANGED[type(node.op)]
        kind = "connective" if isinstance(node.op, ast.BitAnd | ast.BitOr) else "sign"
        yield kind, f"{SIGNS[type(node.op)]} → {SIGNS[swapped]}"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        yield "sign", f"{ast.unparse(node.right)} → −{ast.unparse(node.right)}"
        yield "operator", "* → /"
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield "operator", "/ → *"
    elif _negatable(node):
        argument = ast.unparse(node.args[0])  # type: ignore[attr-defined]
        yield "sign", f"{argument} → −{argument}"
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        yield "sign", f"−{ast.unparse(node.operand)} → {ast.unparse(node.operand)}"
    elif isinstance(node, ast.Constant) and type(node.value) in (int, float):
        for value in _others(node.value):
            yield "index" if indexing else "constant", f"{node.value} → {value}"
    elif isinstance(node, ast.Attribute) and node.attr in OPPOSITE:
        yield "extremum", f"{node.attr} → {OPPOSITE[node.attr]}"
    elif isinstance(node, ast.Name) and node.id in OPPOSITE:
        yield "extremum", f"{node.id} → {OPPOSITE[node.id]}"
    elif isinstance(node, ast.Slice):
        for side in ("lower", "upper"):
            bound = getattr(node, side)
            if bound is not None and not is_number(bound):
                for by in "+−":
                    yield "index", f"{ast.unparse(bound)} → {ast.unparse(bound)} {by} 1"
        if node.lower is not None and node.upper is not None:
            for by in "+−":
                yield "index", f"{ast.unparse(node)} → both {by} 1"


def _skipped(tree: ast.Module) -> set[ast.AST]:
    """What is no part of a rule: annotations, and arguments that only name or shape things."""
    out: set[ast.AST] = set()
    for node in ast.walk(tree):
        parts: list[Any] = []
        if isinstance(node, ast.arg | ast.AnnAssign):
            parts = [node.annotation]
        elif isinstance(node, ast.FunctionDef):
            parts = [node.returns]
        elif isinstance(node, ast.keyword) and node.arg in UNTOUCHED:
            parts = [node.value]
        elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute):
            # The axis of a shape: another one is the size of the batch, which may be in the 1000s.
            parts = [node.slice] if node.value.attr == "shape" else []
        out.update(inside for part in parts if part for inside in ast.walk(part))
    return out


@cache
def mutations(file: str) -> tuple[Mutation, ...]:
    """Every change to a file of the catalogue, in the order of ast.walk."""
    tree = ast.parse(source(file))
    skipped = _skipped(tree)
    indexing = {
        inside
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript)
        for inside in ast.walk(node.slice)
    }
    found = []
    for number, node in enumerate(ast.walk(tree)):
        if node in skipped:
            continue
        bound = node.lower or node.upper if isinstance(node, ast.Slice) else node
        for way, (kind, change) in enumerate(_ways(node, node in indexing)):
            at = bound.lineno, bound.col_offset  # type: ignore[union-attr]
            found.append(Mutation(file, *at, number, way, kind, change))
    return tuple(found)


class _Swap(ast.NodeTransformer):
    """Puts one node in the place of another."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self.old, self.new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        return self.new if node is self.old else self.generic_visit(node)


def apply(tree: ast.Module, mutation: Mutation) -> None:
    """Make the change, in place."""
    node = list(ast.walk(tree))[mutation.node]
    way = mutation.way
    if isinstance(node, ast.Compare):
        choices = [(k, s) for k, op in enumerate(node.ops) for s in SIBLINGS.get(type(op), ())]
        at, op = choices[way]
        node.ops[at] = op()
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult) and way == 0:
        node.right = ast.UnaryOp(ast.USub(), node.right)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        node.op = ast.Div() if isinstance(node.op, ast.Mult) else ast.Mult()
    elif isinstance(node, ast.BinOp):
        node.op = EXCHANGED[type(node.op)]()
    elif isinstance(node, ast.Call):
        node.args[0] = ast.UnaryOp(ast.USub(), node.args[0])
    elif isinstance(node, ast.UnaryOp):
        _Swap(node, node.operand).visit(tree)
    elif isinstance(node, ast.Constant):
        value = _others(node.value)[way]  # type: ignore[arg-type]
        new = ast.Constant(abs(value))
        _Swap(node, new if value >= 0 else ast.UnaryOp(ast.USub(), new)).visit(tree)
    elif isinstance(node, ast.Attribute):
        node.attr = OPPOSITE[node.attr]
    elif isinstance(node, ast.Name):
        node.id = OPPOSITE[node.id]
    elif isinstance(node, ast.Slice):
        both = [s for s in ("lower", "upper") if getattr(node, s) is not None]
        alone = [s for s in both if not is_number(getattr(node, s))]
        moved = [[side] for side in alone] + ([both] if len(both) == 2 else [])
        for side in moved[way // 2]:
            by = (ast.Add(), ast.Sub())[way % 2]
            setattr(node, side, ast.BinOp(getattr(node, side), by, ast.Constant(1)))
