# SPDX-License-Identifier: MIT
"""Imports firmware modules with their viper functions replaced by calls into a machine.

The rest of such a module runs in CPython, unchanged. Each import_firmware() makes a package of its
own name, so several machines can have the same module at once and the plain one stays as it is.
"""

import __future__

import ast
import importlib
import importlib.machinery
import importlib.util
import itertools
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cost.machine import Entry, Machine
from tests.cost.mpy import compile_file
from tests.paths import FIRMWARE

_numbers = itertools.count()


def import_firmware(machine: Machine, name: str, root: Path = FIRMWARE) -> Any:
    """Imports *name* ("tag.ed25519.sign") from *root*, its viper functions in *machine*.

    Its relative imports get the same treatment; absolute ones do not. Raises MpyError,
    ImportError.
    """
    package = f"_cost_{machine.architecture}_{next(_numbers)}"
    top = types.ModuleType(package)
    top.__path__ = [str(root)]
    sys.modules[package] = top
    finder = _Finder(machine, package, root)
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(f"{package}.{name}")
    finally:
        sys.meta_path.remove(finder)
        # The modules live on in each other; late imports of theirs are not foreseen.
        for loaded in [key for key in sys.modules if key.split(".")[0] == package]:
            del sys.modules[loaded]


class _Finder:
    def __init__(self, machine: Machine, package: str, root: Path) -> None:
        self._machine = machine
        self._package = package
        self._root = root

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        package, _, inside = name.partition(".")
        if package != self._package:
            return None
        base = self._root / inside.replace(".", "/")
        is_package = base.is_dir()
        file = base / "__init__.py" if is_package else base.with_suffix(".py")
        if not file.is_file():
            return None
        loader = _Loader(name, str(file), self._machine, inside)
        return importlib.util.spec_from_file_location(
            name,
            file,
            loader=loader,
            submodule_search_locations=[str(base)] if is_package else None,
        )


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, machine: Machine, firmware_name: str) -> None:
        super().__init__(name, path)
        self._machine = machine
        self._firmware_name = firmware_name

    def exec_module(self, module: types.ModuleType) -> None:
        source = Path(self.path).read_bytes()
        lines = viper_lines(ast.parse(source))
        entries = []
        if lines:
            entries = self._machine.load(compile_file(Path(self.path), self._machine.architecture))
        if len(lines) != len(entries):
            raise ImportError(f"{len(entries)} viper codes, {len(lines)} functions: {self.path}")
        # Annotations such as ptr32 exist for the viper compiler only: never evaluated here.
        flags = __future__.annotations.compiler_flag
        with _micropython(self._viper(dict(zip(lines, entries, strict=True)))):
            exec(compile(source, self.path, "exec", flags), module.__dict__)

    def _viper(self, entries: dict[int, Entry]) -> Callable[[Any], Any]:
        machine = self._machine

        def viper(function: Any) -> Any:
            entry = entries[function.__code__.co_firstlineno]
            name = f"{self._firmware_name}.{function.__qualname__}"
            return lambda *arguments: machine.call(name, entry, arguments)

        return viper


def viper_lines(node: ast.AST) -> list[int]:
    """First line of each viper function below *node*, in the order mpy-cross emits them."""
    lines = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef) and any(
            ast.unparse(decorator).split(".")[-1] == "viper" for decorator in child.decorator_list
        ):
            lines.append(child.decorator_list[0].lineno)
        lines += viper_lines(child)
    return lines


@contextmanager
def _micropython(viper: Callable[[Any], Any]) -> Iterator[None]:
    """The module `micropython` that the firmware sees."""
    module: Any = types.ModuleType("micropython")
    module.viper = viper
    module.native = lambda function: function
    module.const = lambda value: value
    before = sys.modules.get("micropython")
    sys.modules["micropython"] = module
    try:
        yield
    finally:
        if before is None:
            del sys.modules["micropython"]
        else:
            sys.modules["micropython"] = before
