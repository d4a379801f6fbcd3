"""Makes small faults in functions, one at a time: what a test must notice. Runs nothing.

A fault is a comparison turned, a condition negated, a number changed by one, a check left out.
Texts for people are left alone: another word in a message is no fault of a decision.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from types import CodeType
from typing import NamedTuple

_COMPARE: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.LShift: ast.RShift,
    ast.RShift: ast.LShift,
    ast.BitOr: ast.BitAnd,
}
_NAMES = {"any": "all", "all": "any", "max": "min", "min": "max"}


class Mutant(NamedTuple):
    """One fault: the function and line it is in, what was changed, and the function's new code."""

    function: str
    line: int
    change: str
    code: CodeType

    def key(self, file: str) -> str:
        """Return the name under which the fault is listed; it outlives a shift of lines."""
        return f"{file} {self.function}: {self.change}"


class _Mutation(ast.NodeTransformer):
    """Makes the fault with one number; with -1 none, and counts them."""

    def __init__(self, wanted: int) -> None:
        self.wanted = wanted
        self.count = 0
        self.change = ""
        self.line = 0
        self.function = ""
        self._names: list[str] = []
        self._depth = 0

    def _here(self) -> bool:
        found = self.count == self.wanted and self._depth > 0
        self.count += self._depth > 0
        return found

    def _made(self, old: ast.AST, new: ast.AST | None) -> None:
        self.line = getattr(old, "lineno", 0)
        self.function = ".".join(self._names)
        after = "nothing" if new is None else ast.unparse(ast.fix_missing_locations(new))
        self.change = f"{ast.unparse(old)} -> {after}"

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        self._names.append(node.name)
        node.body = [self.visit(part) for part in node.body]
        self._names.pop()
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._names.append(node.name)
        self._depth += 1
        node.body = [self.visit(part) for part in node.body]
        self._depth -= 1
        self._names.pop()
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        if isinstance(node.value, ast.Constant):
            return node
        return self._left_out(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        # Only whether it is raised: the rest is a text.
        if self._here():
            self._made(node, None)
            return ast.copy_location(ast.Pass(), node)
        return node

    def visit_Continue(self, node: ast.Continue) -> ast.AST:
        return self._left_out(node)

    def _left_out(self, node: ast.stmt) -> ast.AST:
        if self._here():
            self._made(node, None)
            return ast.copy_location(ast.Pass(), node)
        return self.generic_visit(node)

    def visit_If(self, node: ast.If) -> ast.AST:
        node.test = self._negated(node.test)
        return self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        node.test = self._negated(node.test)
        return self.generic_visit(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        node.test = self._negated(node.test)
        return self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        node.ifs = [self._negated(part) for part in node.ifs]
        return self.generic_visit(node)

    def _negated(self, node: ast.expr) -> ast.expr:
        # A plain comparison is turned where it stands, and `not x` loses its `not`.
        if isinstance(node, (ast.UnaryOp, ast.Compare)) or not self._here():
            return node
        new = ast.copy_location(ast.UnaryOp(ast.Not(), node), node)
        self._made(node, new)
        return new

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is None or isinstance(node.value, ast.Constant):
            return self.generic_visit(node)
        if self._here():
            new = ast.copy_location(ast.Return(ast.Constant(None)), node)
            self._made(node, new)
            return ast.fix_missing_locations(new)
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not) and self._here():
            self._made(node, node.operand)
            return node.operand
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if self._here():
            new = ast.BoolOp(ast.Or() if isinstance(node.op, ast.And) else ast.And(), node.values)
            self._made(node, ast.copy_location(new, node))
            return new
        for index in range(len(node.values)):
            if self._here():
                rest = [value for number, value in enumerate(node.values) if number != index]
                new = ast.BoolOp(node.op, rest)
                one = rest[0] if len(rest) == 1 else ast.copy_location(new, node)
                self._made(node, one)
                return one
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        for index, operator in enumerate(node.ops):
            if type(operator) in _COMPARE and self._here():
                ops = [*node.ops]
                ops[index] = _COMPARE[type(operator)]()
                new = ast.copy_location(ast.Compare(node.left, ops, node.comparators), node)
                self._made(node, new)
                return new
            # The bound itself moved: `<` to `>=` shows a test that never comes near it.
            if isinstance(operator, (ast.Lt, ast.LtE, ast.Gt, ast.GtE)) and self._here():
                ops = [*node.ops]
                turned = {ast.Lt: ast.GtE, ast.LtE: ast.Gt, ast.Gt: ast.LtE, ast.GtE: ast.Lt}
                ops[index] = turned[type(operator)]()
                new = ast.copy_location(ast.Compare(node.left, ops, node.comparators), node)
                self._made(node, new)
                return new
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        if type(node.op) in _ARITHMETIC and self._here():
            new = ast.BinOp(node.left, _ARITHMETIC[type(node.op)](), node.right)
            self._made(node, ast.copy_location(new, node))
            return new
        return self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        value = node.value
        if isinstance(value, bool) and self._here():
            new = ast.copy_location(ast.Constant(not value), node)
        elif isinstance(value, int) and not isinstance(value, bool) and self._here():
            new = ast.copy_location(ast.Constant(value + 1), node)
        else:
            return node
        self._made(node, new)
        return new

    def visit_Name(self, node: ast.Name) -> ast.AST:
        if node.id in _NAMES and self._here():
            new = ast.copy_location(ast.Name(_NAMES[node.id], node.ctx), node)
            self._made(node, new)
            return new
        return node


def count(source: str) -> int:
    """Return how many faults there are in the functions of a source text."""
    counter = _Mutation(-1)
    counter.visit(ast.parse(source))
    return counter.count


def mutant(source: str, file: str, number: int) -> Mutant:
    """Return one fault by its number, from 0."""
    tree = ast.parse(source)
    mutation = _Mutation(number)
    mutation.visit(tree)
    module = compile(ast.fix_missing_locations(tree), file, "exec")
    code = next(c for c in _codes(module) if c.co_qualname == mutation.function)
    return Mutant(mutation.function, mutation.line, mutation.change, code)


def _codes(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if isinstance(part, CodeType):
            yield part
            yield from _codes(part)
