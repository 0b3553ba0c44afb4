"""The folder is the registry: a plugin is one file, or one entry point of another package.

Nothing is imported until it is asked for; a plugin that fails to load, or a name offered twice, stops the run.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache
from importlib.metadata import entry_points
from types import MappingProxyType, ModuleType

from reconciler.errors import PluginError, UsageError

KINDS = ("connectors", "policies", "reports", "actions")
_FOLDERS = {"actions": "reconciler.actions"}


def names(kind: str) -> Mapping[str, str]:
    """Every plugin of a kind: its name and the module that offers it, sorted by name; raises PluginError on a name offered twice."""
    return _names(kind, tuple(sys.path))


@cache
def _names(kind: str, path: tuple[str, ...]) -> Mapping[str, str]:
    """Looking into folders, and into what other packages say of themselves, takes long; it does not change while the path does not."""
    folder = _FOLDERS.get(kind, kind)
    package = importlib.import_module(folder)
    found = {m.name: f"{folder}.{m.name}" for m in pkgutil.iter_modules(package.__path__) if not m.name.startswith("_")}
    for point in entry_points(group=f"reconciler.{kind}"):
        if found.setdefault(point.name, point.value) != point.value:
            raise PluginError(f"two {kind} are called {point.name}: {found[point.name]} and {point.value}; uninstall one")
    return MappingProxyType(dict(sorted(found.items())))


def load(kind: str, name: str) -> ModuleType:
    """Import one plugin; raises UsageError with the nearest name when there is none, PluginError when it fails to load."""
    found = names(kind)
    if name not in found:
        near = get_close_matches(name, found, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise UsageError(f"no {kind} plugin is called {name}{hint} There are: {', '.join(found)}")
    try:
        return importlib.import_module(found[name])
    except Exception as problem:
        raise PluginError(f"{kind} plugin {name} ({found[name]}) does not load: {problem!r}") from problem
