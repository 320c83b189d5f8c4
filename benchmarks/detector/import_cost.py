"""What importing the detector adds to a start of score.

`python -m benchmarks.detector.import_cost` imports, in a fresh interpreter, all that
`functions/score/app.py` imports, with an empty thing in place of the detector's modules; then it
imports those, and prints how long that took, in milliseconds.
"""

import ast
import importlib
import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from types import ModuleType
from typing import Any, Final

_REPOSITORY: Final = Path(__file__).parents[2]
_SCORE: Final = _REPOSITORY / "functions" / "score" / "app.py"
_PREFIX: Final = "weir.detect"
"""The detector's modules, whatever they are: all whose names begin so."""
_STARTS: Final = 9


class _Nothing:
    """Stands for whatever a module takes from the detector's."""

    def __class_getitem__(cls, item: Any) -> type["_Nothing"]:
        return cls


class _Empty(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Nothing


class _InPlace(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Take the place of the detector's modules."""
        del path, target
        inside = fullname.startswith(_PREFIX)
        return ModuleSpec(fullname, self, is_package=True) if inside else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module."""
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it empty."""


def import_ms() -> float:
    """The median over fresh interpreters."""
    command = [sys.executable, "-m", "benchmarks.detector.import_cost"]
    with TemporaryDirectory() as compiled:  # the layer's modules are compiled, too
        environ = {**os.environ, "PYTHONPYCACHEPREFIX": compiled, "PYTHONDONTWRITEBYTECODE": ""}
        taken = [
            float(
                subprocess.run(  # noqa: S603
                    command, check=True, cwd=_REPOSITORY, env=environ, capture_output=True
                ).stdout
            )
            for _ in range(_STARTS + 1)
        ]
    return median(taken[1:])  # the first one compiles


def main() -> None:
    """Import what score imports, then the detector; print the milliseconds of the latter."""
    tree = ast.parse(_SCORE.read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    named = [
        node.module
        for node in imports
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(_PREFIX)
    ]
    finder = _InPlace()
    sys.meta_path.insert(0, finder)
    for node in imports:
        names = (
            [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
        )
        for name in names:
            importlib.import_module(str(name))
    sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if name.startswith(_PREFIX)]:
        del sys.modules[name]
    begun = perf_counter()
    for name in named:
        importlib.import_module(str(name))
    print((perf_counter() - begun) * 1000)


if __name__ == "__main__":
    main()
