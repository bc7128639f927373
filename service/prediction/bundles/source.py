"""The source of functions with all that they need of our own modules, as one file of Python.

It is taken from the modules themselves, so that there is one network and not two. Options and
shapes become plain objects, and what is only for the service stays out.
"""

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from importlib.util import resolve_name
from types import FunctionType, ModuleType
from typing import NamedTuple

from pydantic import BaseModel

from service.domain.problems import Conflict

SHIPPED = frozenset({"torch", "safetensors", *sys.stdlib_module_names})
"""What a bundle may import."""

_OWN = "service"
_MAKE_PROBLEMS = frozenset({"service.domain.problems", "service.domain.validation"})
_FOR_CHECKERS = re.compile(r"\s+# (?:noqa|pyright):.*$", re.MULTILINE)
_COMPREHENSIONS = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_FUNCTIONS = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


class ModelNotPortable(Conflict):
    """The network cannot be written down as one file."""

    code = "model_not_portable"
    title = "The model cannot leave the service"

    def __init__(self, reason: str) -> None:
        super().__init__(
            f"The source of this model cannot be put into a file of its own: {reason}. "
            "Ask it here, with /predict."
        )


class Symbol(NamedTuple):
    """A definition at the top of one of our modules."""

    module: str
    name: str


class Import(NamedTuple):
    """A name that comes from elsewhere: `from module import name as bound`, or `import module`."""

    module: str
    name: str | None
    bound: str

    def written(self) -> str:
        """Write the statement."""
        alias = "" if self.bound in {self.name, self.module} else f" as {self.bound}"
        if self.name is None:
            return f"import {self.module}{alias}"
        return f"from {self.module} import {self.name}{alias}"


class Use(NamedTuple):
    """A place where a definition names another; without a place, one that cannot be rewritten."""

    target: Symbol | Import
    node: ast.expr | None


@dataclass
class Module:
    """One of our modules, read."""

    name: str
    source: str
    imports: dict[str, Import] = field(default_factory=dict[str, Import])
    definitions: dict[str, ast.stmt] = field(default_factory=dict[str, ast.stmt])
    ends: dict[str, int] = field(default_factory=dict[str, int])

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines in UTF-8: that is what positions in a tree count."""
        return self.source.encode().splitlines(keepends=True)


def read_module(name: str) -> Module:
    """Read a module that is loaded. Raises ModelNotPortable where there is no source."""
    try:
        source = inspect.getsource(sys.modules[name])
    except (OSError, TypeError):
        raise ModelNotPortable(f"{name} comes without its source") from None
    module = Module(name, source)
    body = ast.parse(source).body
    for place, statement in enumerate(body):
        match statement:
            case ast.Import(names=names):
                for each in names:
                    bound = each.asname or each.name.partition(".")[0]
                    module.imports[bound] = Import(each.name, None, bound)
            case ast.ImportFrom(module=origin, names=names, level=level):
                written = "." * level + (origin or "")
                whole = resolve_name(written, name.rpartition(".")[0])
                for each in names:
                    bound = each.asname or each.name
                    module.imports[bound] = Import(whole, each.name, bound)
            case _:
                for bound in _bound_by(statement):
                    module.definitions[bound] = statement
                    module.ends[bound] = _end(statement, body[place + 1 : place + 2])
    return module


def _bound_by(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return [name]
        case _:
            return []


def _end(statement: ast.stmt, following: Sequence[ast.stmt]) -> int:
    """Tell the last line of a definition; what is said of a constant stands behind it."""
    match following:
        case [ast.Expr(value=ast.Constant(value=str()))] if not isinstance(statement, ast.ClassDef):
            return following[0].end_lineno or 0
        case _:
            return statement.end_lineno or 0


class Source:
    """Gathers definitions; `package` holds what counts as ours beside the service itself."""

    def __init__(self, package: str) -> None:
        self._own = {_OWN, package}
        self._modules: dict[str, Module] = {}
        self._uses: dict[Symbol, list[Use]] = {}
        self._names: dict[Symbol | Import, str] = {}

    def add(self, function: FunctionType | type) -> str:
        """Take a function, or a class, and all that it needs; return what it is called."""
        return self._take(Symbol(function.__module__, function.__name__))

    def _take(self, symbol: Symbol) -> str:
        if symbol in self._names:
            return self._names[symbol]
        self._names[symbol] = self._free(symbol.name, symbol.module)
        self._uses[symbol] = uses = list(self._uses_of(symbol))
        for use in uses:
            if isinstance(use.target, Symbol):
                self._take(use.target)
            elif use.target not in self._names:
                self._names[use.target] = self._free(use.target.bound, use.target.module)
        return self._names[symbol]

    def _free(self, name: str, module: str) -> str:
        """Give a name that nothing has yet."""
        if name not in self._names.values():
            return name
        other = f"{module.rpartition('.')[2]}_{name.lstrip('_')}"
        return other if other not in self._names.values() else self._free(f"{other}_", module)

    def _module(self, name: str) -> Module:
        if name not in self._modules:
            self._modules[name] = read_module(name)
        return self._modules[name]

    def _uses_of(self, symbol: Symbol) -> Iterator[Use]:
        if _plain(symbol) is not None:
            if _is_data(symbol):
                yield Use(Import("types", "SimpleNamespace", "SimpleNamespace"), None)
            return
        module = self._module(symbol.module)
        statement = module.definitions.get(symbol.name)
        if statement is None:
            raise ModelNotPortable(f"{symbol.module} does not define {symbol.name} plainly")
        for node, is_rewritable in _free_names(statement, frozenset(), is_rewritable=True):
            target, named = self._resolve(module, node)
            if target is not None:
                yield Use(target, named if is_rewritable else None)

    def _resolve(
        self, module: Module, node: ast.Name | ast.Attribute
    ) -> tuple[Symbol | Import | None, ast.expr]:
        """Find what a name, or a name of another module of ours, stands for; None: built in."""
        name = node if isinstance(node, ast.Name) else node.value
        assert isinstance(name, ast.Name)  # noqa: S101  that is how `_free_names` chooses
        if name.id in module.definitions:
            return Symbol(module.name, name.id), name
        found = module.imports.get(name.id)
        if found is None:
            return None, name
        if found.module.partition(".")[0] not in self._own:
            return _shipped(found), name
        whole = f"{found.module}.{found.name}"
        if isinstance(sys.modules.get(whole), ModuleType) and isinstance(node, ast.Attribute):
            return self._defined(whole, node.attr), node
        return self._defined(found.module, found.name or ""), name

    def _defined(self, module: str, name: str) -> Symbol | Import:
        """Follow a name to where it is defined."""
        read = self._module(module)
        if name in read.definitions:
            return Symbol(module, name)
        found = read.imports.get(name)
        if found is None or found.name is None:
            raise ModelNotPortable(f"{module} does not define {name} plainly")
        if found.module.partition(".")[0] not in self._own:
            return _shipped(found)
        return self._defined(found.module, found.name)

    def imports(self) -> list[str]:
        """Write what is imported, sorted."""
        foreign = {use.target for uses in self._uses.values() for use in uses}
        found = [each for each in foreign if isinstance(each, Import)]
        written = {each._replace(bound=self._names[each]).written() for each in found}
        return sorted(written, key=lambda line: (line.startswith("from"), line))

    def definitions(self) -> Iterator[str]:
        """Write the definitions, each behind what it needs."""
        try:
            order = [*TopologicalSorter(self._graph()).static_order()]
        except CycleError:
            raise ModelNotPortable("its modules import each other in a circle") from None
        for module in order:
            taken = [symbol for symbol in self._uses if symbol.module == module]
            for symbol in sorted(taken, key=self._line):
                yield self._written(symbol)

    def _graph(self) -> dict[str, list[str]]:
        graph: dict[str, list[str]] = {}
        for symbol, uses in sorted(self._uses.items()):
            needed = {use.target.module for use in uses if isinstance(use.target, Symbol)}
            graph.setdefault(symbol.module, []).extend(sorted(needed - {symbol.module}))
        return graph

    def _line(self, symbol: Symbol) -> int:
        return self._module(symbol.module).definitions[symbol.name].lineno

    def _written(self, symbol: Symbol) -> str:
        plain = _plain(symbol)
        if plain is not None:
            return plain.format(name=self._names[symbol])
        module = self._module(symbol.module)
        statement = module.definitions[symbol.name]
        lines = [*module.lines]
        for use in sorted(self._uses[symbol], key=_position, reverse=True):
            self._rename(lines, use)
        if self._names[symbol] != symbol.name:
            lines[statement.lineno - 1] = lines[statement.lineno - 1].replace(
                symbol.name.encode(), self._names[symbol].encode(), 1
            )
        first = _first_line(module, statement)
        text = b"".join(lines[first - 1 : module.ends[symbol.name]]).decode()
        return _FOR_CHECKERS.sub("", text).rstrip()

    def _rename(self, lines: list[bytes], use: Use) -> None:
        """Write the name that a used definition has here."""
        name = self._names[use.target]
        node = use.node
        before = use.target.name if isinstance(use.target, Symbol) else use.target.bound
        if node is None or node.lineno != node.end_lineno:
            if name != before:
                raise ModelNotPortable(f"two things in it are called {before}")
            return
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = (
            line[: node.col_offset] + name.encode() + line[node.end_col_offset :]
        )


def _shipped(found: Import) -> Import:
    if found.module.partition(".")[0] not in SHIPPED:
        raise ModelNotPortable(f"it needs {found.module}, which is not in every PyTorch")
    return found


def _is_data(symbol: Symbol) -> bool:
    found = getattr(sys.modules[symbol.module], symbol.name, None)
    return isinstance(found, type) and issubclass(found, BaseModel)


def _plain(symbol: Symbol) -> str | None:
    """Write what stands for a thing of the service; None: it stands for itself."""
    found = getattr(sys.modules[symbol.module], symbol.name, None)
    if _is_data(symbol):
        said = inspect.cleandoc(found.__doc__ or "").partition("\n")[0].replace("{", "(")
        return f'class {{name}}(SimpleNamespace):\n    """{said.replace("}", ")")}"""'
    if isinstance(found, FunctionType) and symbol.module in _MAKE_PROBLEMS:
        said = '"""Make the error of options that do not go together."""'
        return (
            f"def {{name}}(*told: object) -> ValueError:\n    {said}\n    return ValueError(*told)"
        )
    return None


def _position(use: Use) -> tuple[int, int]:
    return (0, 0) if use.node is None else (use.node.lineno, use.node.col_offset)


def _first_line(module: Module, statement: ast.stmt) -> int:
    """Tell where a definition begins: with its decorators, and what is said above it."""
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(each.lineno for each in decorators)])
    while first > 1 and module.lines[first - 2].startswith(b"#"):
        first -= 1
    return first


def _free_names(
    node: ast.AST, bound: frozenset[str], *, is_rewritable: bool
) -> Iterator[tuple[ast.Name | ast.Attribute, bool]]:
    """Give the names in a definition that it does not bind itself.

    Before Python 3.12 the places inside of f-strings are wrong, so nothing is rewritten there.
    """
    if isinstance(node, ast.Name):
        if isinstance(node.ctx, ast.Load) and node.id not in bound:
            yield node, is_rewritable
        return
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        if node.value.id not in bound:
            yield node, is_rewritable
        return
    if isinstance(node, _FUNCTIONS | _COMPREHENSIONS):
        bound |= frozenset(_binds(node))
    is_rewritable = is_rewritable and not isinstance(node, ast.JoinedStr)
    for child in ast.iter_child_nodes(node):
        yield from _free_names(child, bound, is_rewritable=is_rewritable)


def _binds(function: ast.AST) -> Iterator[str]:
    """Name what a function binds anywhere inside."""
    for node in ast.walk(function):
        match node:
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()):
                yield name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) if node is not function:
                yield name
            case ast.MatchAs(name=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name
            case _:
                pass
