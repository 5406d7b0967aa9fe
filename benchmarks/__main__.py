"""Every benchmark of this package, in one table."""

from __future__ import annotations

import importlib
import pkgutil
import sys

import benchmarks
from benchmarks.frame import Rows, run


def found() -> dict[str, Rows]:
    """Each module that has `rows`, by name."""
    names = sorted(module.name for module in pkgutil.iter_modules(benchmarks.__path__))
    modules = {name: importlib.import_module(f"benchmarks.{name}") for name in names if name != "__main__"}
    return {name: module.rows for name, module in modules.items() if hasattr(module, "rows")}


if __name__ == "__main__":
    sys.exit(run(found()))
