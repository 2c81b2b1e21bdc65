"""Compare code by what it does: a cell of a notebook with a function of `utils`, or a function with an earlier one."""

from __future__ import annotations

import ast
import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Callable
from types import CodeType


def plain(node: ast.AST) -> ast.AST:
    """The tree of a function or class, without what does not change its work.

    Left out are docstrings, annotations, and calls of `utils.files.require`, which only check arguments.
    """
    return _Plain().visit(node)


class _Plain(ast.NodeTransformer):
    def visit_arg(self, node: ast.arg) -> ast.arg:
        node.annotation = None
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        self.generic_visit(node)
        return ast.Assign([node.target], node.value, lineno=node.lineno) if node.value else node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._without_words(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        return self._without_words(node)

    def _without_words(self, node):
        if ast.get_docstring(node, clean=False) is not None:
            del node.body[0]
        node.body = [line for line in node.body if not _checks_arguments(line)] or [ast.Pass()]
        self.generic_visit(node)
        return node


def _checks_arguments(line: ast.stmt) -> bool:
    call = line.value if isinstance(line, ast.Expr) else None
    return isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "require"


def definitions(source: str) -> dict[str, str]:
    """What each function and class in ``source`` does, by its name: its tree by `plain`, written as a text."""
    kinds = ast.FunctionDef | ast.ClassDef
    return {node.name: ast.unparse(plain(node)) for node in ast.parse(source).body if isinstance(node, kinds)}


def code_of(*functions: Callable) -> str:
    """A short fingerprint of what these functions do, and the functions beside them that they call.

    It changes with the code, not with comments, docstrings or the place where the functions are written.
    """
    seen: dict[str, str] = {}
    for function in functions:
        _collect(function, seen)
    text = "\n".join(seen[name] for name in sorted(seen))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _collect(function: Callable, seen: dict[str, str]) -> None:
    function = inspect.unwrap(getattr(function, "python_function", function))  # what `tf.function` and others wrap
    name = getattr(function, "__name__", "")
    if name in seen or not (inspect.isfunction(function) or inspect.isclass(function)):
        return
    if not function.__module__.startswith(("__main__", "utils.")) or function.__module__ == "utils.files":
        return
    seen[name] = _tree(function)
    inner = [function] if inspect.isfunction(function) else [one for one in vars(function).values() if callable(one)]
    for one in map(inspect.unwrap, inner):
        for used in _names(getattr(one, "__code__", None)):
            if callable(found := getattr(one, "__globals__", {}).get(used)):
                _collect(found, seen)


def _names(code: CodeType | None) -> set[str]:
    """The names that a function looks up outside itself, and those of functions inside it."""
    inside = [_names(const) for const in code.co_consts if isinstance(const, CodeType)] if code else []
    return set(code.co_names).union(*inside) if code else set()


def _tree(function: Callable) -> str:
    """What one function or class does, as a text, see `definitions`."""
    name = function.__name__
    methods = [one for one in vars(function).values() if inspect.isfunction(one)] if inspect.isclass(function) else []
    if function.__module__ == "__main__" and methods:  # a class of a notebook keeps no source, but its methods do
        cell = definitions("".join(linecache.getlines(methods[0].__code__.co_filename)))
        if name in cell:
            return cell[name]
    try:
        source = textwrap.dedent(inspect.getsource(function))
        return definitions(source).get(name, source)
    except (OSError, TypeError):  # typed at a prompt that keeps no source
        return " ".join(one.__code__.co_code.hex() for one in methods or [function])
