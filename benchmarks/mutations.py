"""Single faults that can be put into a module: its mutations.

Not offered is what no test should have to read: docstrings, log lines, messages of errors and
f-strings, which are sentences for people; annotations, imports, and arguments of decorators.
"""

from __future__ import annotations

import ast
import itertools
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BOUNDS: dict[type[ast.cmpop], tuple[str, ...]] = {
    ast.Lt: ("<=", ">"),
    ast.LtE: ("<", ">="),
    ast.Gt: (">=", "<"),
    ast.GtE: (">", "<="),
    ast.Eq: ("!=",),
    ast.NotEq: ("==",),
    ast.In: ("not in",),
    ast.NotIn: ("in",),
    ast.Is: ("is not",),
    ast.IsNot: ("is",),
}
ARITHMETIC: dict[type[ast.operator], str] = {
    ast.Add: "-",
    ast.Sub: "+",
    ast.Mult: "/",
    ast.Div: "*",
    ast.FloorDiv: "*",
    ast.Mod: "*",
    ast.Pow: "*",
    ast.BitAnd: "|",
    ast.BitOr: "&",
}
EMPTY = {
    **dict.fromkeys(("list", "Sequence", "Iterable", "Iterator"), "[]"),
    **dict.fromkeys(("dict", "Mapping"), "{}"),
    "tuple": "()",
    "set": "set()",
    "str": "''",
    "int": "0",
    "float": "0.0",
    "Share": "0.0",
}
"""What a function returns empty, by the name of its declared type."""
OPPOSITES = {"min": "max", "max": "min", "any": "all", "all": "any", "reversed": "list"}
LOGS = {"debug", "info", "warning", "error", "exception", "log", "warn"}


@dataclass(frozen=True, order=True)
class Mutation:
    """One replacement in the source of a module."""

    module: str
    """Path, relative to the root of the checkout."""
    line: int
    """From 1."""
    start: int
    """Offset of the first replaced character in the source."""
    stop: int
    operator: str
    replacement: str

    def apply(self, source: str) -> str:
        """Return the source with this fault."""
        return source[: self.start] + self.replacement + source[self.stop :]

    def describe(self, source: str) -> str:
        """Return the first line that the fault changes, before and after."""
        changed = self.apply(source).splitlines()
        for old, new in zip(source.splitlines(), changed, strict=False):
            if old != new:
                return f"{self.module}:{self.line}: {old.strip()}  ->  {new.strip()}"
        return f"{self.module}:{self.line}: the same text"


def find_mutations(root: Path, module: str) -> list[Mutation]:
    """Return the mutations of a module that still compile, sorted by place."""
    source = (root / module).read_text(encoding="utf-8")
    finder = _Finder(source)
    finder.visit(ast.parse(source))
    mutations = {
        Mutation(module, source.count("\n", 0, start) + 1, start, stop, operator, replacement)
        for start, stop, operator, replacement in finder.replacements
        if source[start:stop] != replacement
    }
    return sorted(mutation for mutation in mutations if _compiles(mutation.apply(source)))


def draw_mutations(root: Path, modules: Sequence[str], count: int, seed: int) -> list[Mutation]:
    """Draw `count` mutations, at most one on a line.

    Lines are drawn first, then one of each line's mutations: else a call with many arguments would
    be drawn more often than a comparison, which more depends on.
    """
    by_line = defaultdict[tuple[str, int], list[Mutation]](list)
    for module in sorted(modules):
        for mutation in find_mutations(root, module):
            by_line[module, mutation.line].append(mutation)
    rng = random.Random(seed)
    lines = sorted(by_line)
    rng.shuffle(lines)
    # Drawn one by one, so that a smaller count gives the first ones of a larger.
    return [rng.choice(by_line[line]) for line in lines[:count]]


def _compiles(source: str) -> bool:
    try:
        compile(source, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Finder(ast.NodeVisitor):
    """Visitor that collects replacements as (start, stop, operator, new text)."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.replacements: list[tuple[int, int, str, str]] = []
        self.returned = [""]
        # Positions of the syntax tree count the bytes of a line.
        lines = source.encode().splitlines(keepends=True)
        self.line_starts = [0]
        for line in lines:
            self.line_starts.append(self.line_starts[-1] + len(line))
        self.encoded = source.encode()

    def span(self, node: ast.AST) -> tuple[int, int]:
        assert isinstance(node, ast.expr | ast.stmt | ast.keyword | ast.arg)
        assert node.end_lineno is not None and node.end_col_offset is not None
        return (
            self._offset(node.lineno, node.col_offset),
            self._offset(node.end_lineno, node.end_col_offset),
        )

    def _offset(self, line: int, column: int) -> int:
        return len(self.encoded[: self.line_starts[line - 1] + column].decode())

    def text(self, node: ast.AST) -> str:
        start, stop = self.span(node)
        return self.source[start:stop]

    def offer(self, node: ast.AST, operator: str, *replacements: str) -> None:
        self.replacements += [(*self.span(node), operator, text) for text in replacements]

    def offer_between(
        self, left: ast.AST, right: ast.AST, old: str, operator: str, new: str
    ) -> None:
        """Offer to replace a sign that stands between two nodes."""
        start, stop = self.span(left)[1], self.span(right)[0]
        position = self.source.find(old, start, stop)
        if position >= 0:
            self.replacements.append((position, position + len(old), operator, new))

    # What is not offered.

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        pass  # a sentence, whose nodes have no true positions before Python 3.12

    def visit_Import(self, node: ast.Import) -> None:
        pass

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        pass

    def visit_Raise(self, node: ast.Raise) -> None:
        self.offer(node, "statement removed", "pass")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.returned.append(ast.unparse(node.returns) if node.returns else "")
        for default in [*node.args.defaults, *node.args.kw_defaults]:
            if default:
                self.visit(default)
        for statement in node.body:
            self.visit(statement)
        self.returned.pop()

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for statement in node.body:
            self.visit(statement)

    # Statements.

    def visit_Expr(self, node: ast.Expr) -> None:
        if isinstance(node.value, ast.Constant):
            return  # a docstring
        call = node.value
        if isinstance(call, ast.Call):
            function = call.func
            if isinstance(function, ast.Attribute) and function.attr in LOGS:
                return
            self.offer(node, "statement removed", "pass")
        if isinstance(call, ast.Yield | ast.YieldFrom):
            self.offer(node, "statement removed", "pass")
        self.visit(node.value)

    def visit_Assign(self, node: ast.Assign) -> None:
        if isinstance(node.targets[0], ast.Attribute | ast.Subscript):
            self.offer(node, "statement removed", "pass")
        self.visit(node.value)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.offer(node, "statement removed", "pass")
        sign = ARITHMETIC.get(type(node.op))
        if sign:
            start, stop = self.span(node.target)[1], self.span(node.value)[0]
            position = self.source.find("=", start, stop)
            self.replacements.append((start, position + 1, "arithmetic", f" {sign}="))
        self.visit(node.value)

    def visit_Continue(self, node: ast.Continue) -> None:
        self.offer(node, "statement removed", "pass")

    def visit_Break(self, node: ast.Break) -> None:
        self.offer(node, "statement removed", "pass")

    def visit_Delete(self, node: ast.Delete) -> None:
        self.offer(node, "statement removed", "pass")

    def visit_Return(self, node: ast.Return) -> None:
        if not node.value:
            self.offer(node, "statement removed", "pass")
            return
        declared = self.returned[-1]
        if declared == "bool":  # for which None is as good as False
            if not isinstance(node.value, ast.Constant):
                self.offer(node.value, "returns nothing", "False", "True")
        elif not (isinstance(node.value, ast.Constant) and node.value.value is None):
            self.offer(node.value, "returns nothing", "None")
        empty = EMPTY.get(declared.partition("[")[0])
        if empty and self.text(node.value) != empty:
            self.offer(node.value, "returns nothing", empty)
        self.visit(node.value)

    def visit_If(self, node: ast.If) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_While(self, node: ast.While) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        self._negate(node.test)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        for condition in node.ifs:
            self._negate(condition)
            self.offer(condition, "condition", "True")
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self.offer(node.iter, "loop left out", "()")
        self.generic_visit(node)

    def _negate(self, condition: ast.expr) -> None:
        self.offer(condition, "condition", f"(not ({self.text(condition)}))")

    # Expressions.

    def visit_Compare(self, node: ast.Compare) -> None:
        left = node.left
        for sign, right in zip(node.ops, node.comparators, strict=True):
            old = {v: k for k, v in _SIGNS.items()}[type(sign)]
            for new in BOUNDS[type(sign)]:
                self.offer_between(left, right, old, "bound", new)
            left = right
        self._mutate_key(node.comparators[0])
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        sign = ARITHMETIC.get(type(node.op))
        # A path, or a text: such a fault ends in an error at once and shows nothing.
        if sign and not any(map(_is_text, (node.left, node.right))):
            old = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//"}
            old |= {ast.Mod: "%", ast.Pow: "**", ast.BitAnd: "&", ast.BitOr: "|"}
            self.offer_between(node.left, node.right, old[type(node.op)], "arithmetic", sign)
        self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in zip(node.values, node.values[1:], strict=False):
            self.offer_between(left, right, old, "and/or", new)
        self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> None:
        if isinstance(node.op, ast.Not):
            self.offer(node, "condition", f"({self.text(node.operand)})")
        elif isinstance(node.op, ast.USub):
            self.offer(node, "arithmetic", self.text(node.operand))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        number = node.value
        if isinstance(number, bool):
            self.offer(node, "constant", str(not number))
        elif isinstance(number, int):
            self.offer(node, "constant", str(number + 1), f"({number - 1})")
        elif isinstance(number, float):
            self.offer(node, "constant", repr(number + 1), repr(number / 2))

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self._mutate_key(node.slice)
        self.generic_visit(node)

    def visit_Slice(self, node: ast.Slice) -> None:
        if node.upper and not node.lower and not node.step:
            # The colon before the bound moves behind it.
            start, stop = self.span(node)
            moved = f"{self.text(node.upper)}:"
            self.replacements.append((start, stop, "slice turned", moved))
        self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        if len(node.values) > 1 and all(node.keys):
            self._swap("keys swapped", node.values[0], node.values[1])
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if (isinstance(node.func, ast.Attribute) and node.func.attr in LOGS) or name == "TypeVar":
            return
        if name in OPPOSITES:
            self.offer(node.func, "opposite function", OPPOSITES[name])
        if name == "sorted" and node.args:
            turned = f"list({self.text(node)})[::-1]"
            self.offer(node, "order reversed", turned, f"list({self.text(node.args[0])})")
        positional = [arg for arg in node.args if not isinstance(arg, ast.Starred)]
        if len(positional) == len(node.args) >= 2 and name not in ("isinstance", "getattr"):
            if name not in ("min", "max"):  # whose order changes nothing
                self._swap("arguments swapped", *positional[:2])
            self._drop(positional[-2], positional[-1])
        keywords = [keyword for keyword in node.keywords if keyword.arg not in (None, "strict")]
        if len(keywords) >= 2:
            self._swap("arguments swapped", keywords[0].value, keywords[1].value)
        arguments: list[ast.AST] = [*node.args, *node.keywords]
        for before, argument in itertools.pairwise(arguments):
            # `strict=True` guards against faults elsewhere and changes nothing by itself.
            if argument in keywords:
                self._drop(before, argument)
        self.generic_visit(node)

    def _swap(self, operator: str, first: ast.expr, second: ast.expr) -> None:
        start, middle = self.span(first)
        resume, stop = self.span(second)
        between = self.source[middle:resume]
        text = self.text(second) + between + self.text(first)
        self.replacements.append((start, stop, operator, text))

    def _drop(self, before: ast.AST, argument: ast.AST) -> None:
        """Offer to drop an argument with the comma before it."""
        start, stop = self.span(before)[1], self.span(argument)[1]
        self.replacements.append((start, stop, "argument dropped", ""))

    def _mutate_key(self, node: ast.AST) -> None:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            self.offer(node, "key", repr(f"{node.value}_"))


_SIGNS: dict[str, type[ast.cmpop]] = {
    "<": ast.Lt,
    "<=": ast.LtE,
    ">": ast.Gt,
    ">=": ast.GtE,
    "==": ast.Eq,
    "!=": ast.NotEq,
    "in": ast.In,
    "not in": ast.NotIn,
    "is": ast.Is,
    "is not": ast.IsNot,
}


def _is_text(node: ast.expr) -> bool:
    """Return whether a node is a text, or the name of a file or folder."""
    if isinstance(node, ast.JoinedStr):
        return True
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str)
    return (isinstance(node, ast.Name) and node.id.isupper()) or (
        isinstance(node, ast.Name | ast.Attribute)
        and ast.unparse(node).split(".")[-1] in ("folder", "out", "path", "root", "parent")
    )
