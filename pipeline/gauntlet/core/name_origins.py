"""This module provides what names in Python code stand for: the dotted names of what they were imported from.

Code is read, not run. Scopes, shadowing and plain aliases are followed (``import numpy as n``, ``r = n.random``,
``getattr(n, "random")``, ``import_module("numpy.random")``); what only a run can tell is not: names that are computed,
``exec``, attributes of objects, and what one file takes from another.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

Position = tuple[int, int]

_IMPORTERS = frozenset({"__import__", "importlib.import_module"})
_BUILTINS = frozenset(dir(builtins))
_DEEPEST = 8  # parts of a dotted name; `x = x.next` in a loop would make ever longer ones
_BRANCHES = (ast.If, ast.While, ast.Try, ast.TryStar, ast.Match)


@dataclass(eq=False)
class Binding:
    """One place where a name is given something.

    Attributes:
        after: The position from which on the name has it.
        certain: Whether it happens whenever the scope's code comes past, in no branch and no loop.
        scope: Where it stands.
        value: The expression that was assigned; None if it cannot be followed.
        origins: The dotted names that it may be.
    """

    after: Position
    certain: bool
    scope: Scope
    value: ast.expr | None = None
    origins: frozenset[str] = frozenset()


@dataclass(eq=False)
class Scope:
    """The names of a module, function, class or comprehension.

    Attributes:
        kind: What it is.
        parent: The scope around it; None for the module.
        bindings: What each name is given, in the order of the code.
        elsewhere: Names that belong to another scope (``global``, ``nonlocal``), with that scope.
    """

    kind: str
    parent: Scope | None = None
    bindings: dict[str, list[Binding]] = field(default_factory=dict)
    elsewhere: dict[str, Scope] = field(default_factory=dict)

    def chain(self) -> Iterator[Scope]:
        """Return the scopes in which a name is looked for, this one first; a class's names are seen in itself only."""
        scope: Scope | None = self
        while scope is not None:
            if scope is self or scope.kind != "class":
                yield scope
            scope = scope.parent

    @property
    def running(self) -> Scope:
        """The scope whose code runs in one go with this one's: a comprehension's is that around it."""
        scope = self
        while scope.kind == "comprehension" and scope.parent is not None:
            scope = scope.parent
        return scope


@dataclass(frozen=True)
class Use:
    """An expression that is looked at.

    Attributes:
        node: A name, an attribute or a call.
        scope: Where it stands.
        role: How it is used: ``called``, ``argument`` (of a call, or a base class), ``followed`` (its attribute is
            taken, or it is given to a name), ``type`` (asked about by ``isinstance``), or ``value``.
    """

    node: ast.Name | ast.Attribute | ast.Call
    scope: Scope
    role: str


@dataclass(frozen=True)
class ReadCode:
    """Code that was read.

    Attributes:
        uses: All names that are read, attributes and calls.
        stars: The modules from which everything is imported, with the statements.
    """

    uses: tuple[Use, ...]
    stars: tuple[tuple[str, ast.ImportFrom], ...]


def read_code(content: bytes | str) -> ReadCode:
    """Read Python code.

    Raises:
        SyntaxError: If it is no Python code.
        ValueError: If it holds null bytes.
        RecursionError: If it is nested too deeply.
    """
    reader = _Reader()
    reader.visit(ast.parse(content))
    _settle(reader.bindings)
    return ReadCode(tuple(reader.uses), tuple(reader.stars))


def origins(node: ast.expr, scope: Scope) -> frozenset[str]:
    """Return the dotted names that an expression may stand for; none if it cannot be told.

    Where a name is given several things in one scope, the last that surely came before counts, and all that may have
    come since.

    Args:
        node: The expression.
        scope: Where it stands.
    """
    found: frozenset[str] = frozenset()
    match node:
        case ast.Name():
            found = _origins_of_name(node, scope)
        case ast.Attribute(value=base, attr=name):
            found = _attributes(origins(base, scope), name)
        case ast.NamedExpr(value=value):
            found = origins(value, scope)
        case ast.IfExp(body=first, orelse=second):
            found = origins(first, scope) | origins(second, scope)
        case ast.BoolOp(values=values):
            found = found.union(*(origins(value, scope) for value in values))
        case ast.Call(func=function, args=[ast.Constant(value=str(text)), *_]):
            found = frozenset({text}) if origins(function, scope) & _IMPORTERS else found
        case ast.Call(func=function, args=[base, ast.Constant(value=str(text)), *_]):
            found = _attributes(origins(base, scope), text) if "getattr" in origins(function, scope) else found
    return found


def _origins_of_name(node: ast.Name, scope: Scope) -> frozenset[str]:
    for place in scope.chain():
        if node.id in place.bindings:
            possible = _possible(place.bindings[node.id], node, same=place.running is scope.running)
            return frozenset().union(*(binding.origins for binding in possible))
    return frozenset({node.id}) if node.id in _BUILTINS else frozenset()


def _attributes(bases: frozenset[str], name: str) -> frozenset[str]:
    return frozenset(f"{base}.{name}" for base in bases if base.count(".") < _DEEPEST)


def _settle(bindings: Sequence[Binding]) -> None:
    """Follow aliases until nothing changes; there may be circles of them."""
    changed = True
    while changed:
        changed = False
        for binding in bindings:
            if binding.value is not None:
                found = binding.origins | origins(binding.value, binding.scope)
                changed = changed or found != binding.origins
                binding.origins = found


def _possible(bindings: list[Binding], node: ast.expr, *, same: bool) -> list[Binding]:
    """Return the bindings that may hold at a node; code of another scope may run at any time."""
    if not same:
        return bindings
    here = (node.lineno, node.col_offset)
    certain = [place for place, binding in enumerate(bindings) if binding.certain and binding.after <= here]
    if not certain:
        return bindings
    return [bindings[certain[-1]], *(b for b in bindings[certain[-1] + 1 :] if not b.certain)]


class _Reader(ast.NodeVisitor):
    """Collects scopes and uses, in the order of the code."""

    def __init__(self) -> None:
        self.uses: list[Use] = []
        self.stars: list[tuple[str, ast.ImportFrom]] = []
        self.bindings: list[Binding] = []
        self._module = self._scope = Scope("module")
        self._branches = 0
        self._roles: dict[int, str] = {}

    # What is used

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Load):
            self._use(node)
        self._mark(node.value, "followed")
        self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        self._use(node)
        self._mark(node.func, "called")
        name = node.func.id if isinstance(node.func, ast.Name) else None
        for place, argument in enumerate([*node.args, *(keyword.value for keyword in node.keywords)]):
            if name in ("isinstance", "issubclass") and place == 1:
                self._mark_all(argument, "type")
            elif name == "getattr" and place == 0:
                self._mark(argument, "followed")
            else:
                self._mark(argument.value if isinstance(argument, ast.Starred) else argument, "argument")
        self.generic_visit(node)

    def _use(self, node: ast.Name | ast.Attribute | ast.Call) -> None:
        self.uses.append(Use(node, self._scope, self._roles.get(id(node), "value")))

    def _mark(self, node: ast.expr, role: str) -> None:
        self._roles.setdefault(id(node), role)

    def _mark_all(self, node: ast.expr, role: str) -> None:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name | ast.Attribute):
                self._mark(inner, role)

    # What is given to names

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            whole = alias.name if alias.asname else alias.name.partition(".")[0]
            self._bind(alias.asname or whole, node, origin=whole)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self.stars.append((base, node))
                if base == "numpy":
                    self._bind("random", node, origin="numpy.random")
            else:
                self._bind(alias.asname or alias.name, node, origin=f"{base}.{alias.name}")

    def visit_Assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._give(target, node.value, node)
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._give(node.target, node.value, node)
            self.visit(node.value)
        if not isinstance(node.target, ast.Name):
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self._give(node.target, None, node)
        self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        scope, self._scope = self._scope, self._scope.running
        self._give(node.target, node.value, node)
        self._scope = scope
        self.visit(node.value)

    def visit_withitem(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._give(node.optional_vars, None, node.optional_vars)
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._bind(node.name, node.type or node)
        self.generic_visit(node)

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._bind(node.name, node)
        self.generic_visit(node)

    def visit_MatchStar(self, node: ast.MatchStar) -> None:
        if node.name:
            self._bind(node.name, node)

    def visit_MatchMapping(self, node: ast.MatchMapping) -> None:
        if node.rest:
            self._bind(node.rest, node)
        self.generic_visit(node)

    def visit_Global(self, node: ast.Global) -> None:
        self._scope.elsewhere.update(dict.fromkeys(node.names, self._module))

    def visit_Nonlocal(self, node: ast.Nonlocal) -> None:
        around = [scope for scope in self._scope.chain() if scope.kind == "function" and scope is not self._scope]
        for name in node.names:
            self._scope.elsewhere[name] = next((s for s in around if name in s.bindings), self._module)

    def _give(self, target: ast.expr, value: ast.expr | None, node: ast.AST) -> None:
        match target:
            case ast.Name(id=name):
                if value is not None and self._scope.kind != "class":  # a class's names are reached as attributes too
                    self._mark(value, "followed")
                self._bind(name, node, value=value)
            case ast.Tuple(elts=targets) | ast.List(elts=targets):
                pairs = value.elts if isinstance(value, ast.Tuple | ast.List) else []
                known = len(pairs) == len(targets) and not any(isinstance(e, ast.Starred) for e in (*pairs, *targets))
                for place, inner in enumerate(targets):
                    self._give(inner, pairs[place] if known else None, node)
            case ast.Starred(value=inner):
                self._give(inner, None, node)

    def _bind(self, name: str, node: ast.AST, *, origin: str | None = None, value: ast.expr | None = None) -> None:
        scope = self._scope.elsewhere.get(name, self._scope)
        after = (getattr(node, "end_lineno", None) or 0, getattr(node, "end_col_offset", None) or 0)
        certain = self._branches == 0 and scope is self._scope
        known = frozenset() if origin is None else frozenset({origin})
        self.bindings.append(Binding(after, certain, self._scope, value, known))
        scope.bindings.setdefault(name, []).append(self.bindings[-1])

    # Scopes, branches and loops

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._bind(node.name, node)
        self._visit_all([*node.decorator_list, *node.args.defaults, *node.args.kw_defaults])
        self._within("function", node.body, parameters=node.args)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast's names

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_all([*node.args.defaults, *node.args.kw_defaults])
        self._within("function", [node.body], parameters=node.args)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._bind(node.name, node)
        for base in node.bases:
            self._mark(base, "argument")
        self._visit_all([*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)])
        self._within("class", node.body)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._branches += 1
        self._give(node.target, None, node.target)
        self._visit_all([node.target, *node.body, *node.orelse])
        self._branches -= 1

    visit_AsyncFor = visit_For  # noqa: N815 - ast's names

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> None:
        # The first iterable is evaluated outside.
        self.visit(node.generators[0].iter)
        around, self._scope = self._scope, Scope("comprehension", self._scope)
        for place, generator in enumerate(node.generators):
            self._give(generator.target, None, generator.target)
            self._visit_all([*([generator.iter] if place else []), *generator.ifs])
        self._visit_all([node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt])
        self._scope = around

    visit_SetComp = visit_GeneratorExp = visit_DictComp = visit_ListComp  # noqa: N815 - ast's names

    def generic_visit(self, node: ast.AST) -> None:
        branch = isinstance(node, _BRANCHES)
        self._branches += branch
        super().generic_visit(node)
        self._branches -= branch

    def _within(self, kind: str, body: Iterable[ast.AST], *, parameters: ast.arguments | None = None) -> None:
        around, branches = self._scope, self._branches
        self._scope, self._branches = Scope(kind, around), 0
        if parameters is not None:
            given = [*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs]
            for argument in (*given, parameters.vararg, parameters.kwarg):
                if argument is not None:
                    self._bind(argument.arg, argument)
        self._visit_all(body)
        self._scope, self._branches = around, branches

    def _visit_all(self, nodes: Iterable[ast.AST | None]) -> None:
        for node in nodes:
            if node is not None:
                self.visit(node)
