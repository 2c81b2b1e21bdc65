"""Compare code by what it does: a cell of a notebook with a function of `utils`, or a function with an earlier one."""

from __future__ import annotations

import ast
import dis
import hashlib
import inspect
import linecache
import textwrap
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from types import CodeType

import numpy as np


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


PLAIN = (int, float, complex, str, bytes, type(None))  # values whose `repr` says all about them


def code_of(*functions: Callable) -> str:
    """A short fingerprint of what these functions do, and the functions beside them that they call.

    It changes with the code, with default values, and with plain values that the code takes from around it. It does not
    change with comments, docstrings or the place where the functions are written.
    """
    seen: dict[object, str] = {}
    for function in functions:
        _collect(function, seen)
    return hashlib.sha256("\n".join(seen.values()).encode()).hexdigest()[:16]


def _collect(function: Callable, seen: dict[object, str]) -> None:
    """Note what a function or class does, and all that it uses."""
    if isinstance(function, partial):
        given = {str(place): value for place, value in enumerate(function.args)} | function.keywords
        return _collect_all({"function": function.func} | given, function, seen)
    function = getattr(function, "__func__", function)  # of a method
    function = inspect.unwrap(getattr(function, "python_function", function))  # what `tf.function` and others wrap
    if not (inspect.isfunction(function) or inspect.isclass(function)):
        if _ours(type(function)) and id(function) not in seen:  # an object of a class with `__call__`
            seen[id(function)] = "an object"
            _collect_all({"class": type(function), **vars(function)}, function, seen)
        return
    if id(function) in seen or not _ours(function):
        return
    seen[id(function)] = _tree(function)
    inner = [function] if inspect.isfunction(function) else [one for one in vars(function).values() if callable(one)]
    for one in filter(inspect.isfunction, map(inspect.unwrap, inner)):
        _collect_all(_around(one), one, seen)
    if inspect.isclass(function):
        _collect_all(dict(enumerate(function.__bases__)), function, seen)


def _is_plain(value: object) -> bool:
    if isinstance(value, tuple | list | dict):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
    return isinstance(value, PLAIN)


def _value(value: object) -> str | None:
    """A text that says all about a plain value, an array, or a collection of them; None for anything else."""
    if _is_plain(value):
        return repr(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype != object:
        return f"{value.dtype} {value.shape} {hashlib.sha256(value.tobytes()).hexdigest()}"
    if isinstance(value, tuple | list | set | frozenset | dict):
        parts = [_value(part) for part in (value.items() if isinstance(value, dict) else value)]
        if None not in parts:
            return f"{sorted(parts) if isinstance(value, set | frozenset) else parts}"
    return None


def _ours(function: Callable) -> bool:
    module = getattr(function, "__module__", None) or ""
    return module.startswith(("__main__", "utils.")) and module != "utils.files"


def _collect_all(used: dict, by: object, seen: dict[object, str]) -> None:
    """Note the values among those that ``by`` uses, and all functions, classes and objects of ours."""
    for name, value in used.items():
        text = _value(value)
        if text is not None:
            seen[id(by), name] = f"{name} = {text}"
        elif callable(value):
            _collect(value, seen)
        elif isinstance(value, tuple | list | dict) and id(value) not in seen:  # such as a list of functions
            seen[id(value)] = f"{name}, a collection"
            parts = value.items() if isinstance(value, dict) else enumerate(value)
            _collect_all({f"{key}": part for key, part in parts}, value, seen)
        elif (_ours(type(value)) or type(value).__module__.startswith("captcha.")) and id(value) not in seen:
            seen[id(value)] = "an object"  # such as a painter that was told to tilt less
            _collect_all({"class": type(value), **getattr(value, "__dict__", {})}, value, seen)


def _around(function: Callable) -> dict[str, object]:
    """What a function takes from around itself: default values, variables of a function outside it, and globals.

    Plain globals of a module of `utils` never change, so they are left out.
    """
    defaults = function.__defaults__ or ()
    names = function.__code__.co_varnames[: function.__code__.co_argcount][-len(defaults) :] if defaults else ()
    found = {f"{name} by default": value for name, value in zip(names, defaults, strict=True)}
    found |= {f"{name} by default": value for name, value in (function.__kwdefaults__ or {}).items()}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        with suppress(ValueError):  # not set yet
            found[name] = cell.cell_contents
    there, plain = function.__globals__, function.__module__.startswith("__main__")
    names = [name for name in sorted(_names(function.__code__)) if name in there]  # sets have an order by chance
    return found | {name: there[name] for name in names if plain or _value(there[name]) is None}


def _names(code: CodeType) -> set[str]:
    """The globals that a function looks up, and those of functions inside it."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname == "LOAD_GLOBAL"}
    return own.union(*(_names(const) for const in code.co_consts if isinstance(const, CodeType)))


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
    # A class without methods in a notebook, code typed where no source is kept, or a part of a call over several lines.
    except (OSError, TypeError, SyntaxError):
        codes = [_compiled(one.__code__) for one in (methods or [function]) if inspect.isfunction(one)]
        values = {key: value for key, value in vars(function).items() if key[0] != "_" and _is_plain(value)}
        return f"{name} {sorted(values.items())} {codes}"


def _compiled(code: CodeType) -> str:
    """What a function is compiled to, with its constants and the names that it looks up."""
    constants = [_compiled(const) if isinstance(const, CodeType) else repr(const) for const in code.co_consts]
    return f"{code.co_code.hex()} {constants} {code.co_names}"
