"""A directive for the API reference: every public name of a package, from its docstrings.

Public is what the package's ``__all__`` lists. Each name is documented in the module that defines it, where the
docstrings of constants and registries stand and where annotations point.
"""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from interp.registry import Registry


def defined_in(package: str) -> dict[str, str]:
    """The public names of `package` and the module that each comes from, as its ``__init__`` imports them."""
    module = importlib.import_module(package)
    tree = ast.parse(inspect.getsource(module))
    imported = {
        alias.asname or alias.name: f"{node.module}"
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    return {name: imported.get(name, package) for name in module.__all__}


def autodoc_of(thing: Any, path: str) -> list[str]:
    """The autodoc directive for one public thing."""
    if inspect.isclass(thing):
        # Made by scikit-learn for every estimator; they are not this project's.
        requests = ", ".join(f"set_{x}_request" for x in ("fit", "predict", "score", "transform"))
        return [f".. autoclass:: {path}", "   :members:", f"   :exclude-members: {requests}"]
    if inspect.isroutine(thing):
        return [f".. autofunction:: {path}"]
    return [f".. autodata:: {path}", "   :no-value:"]


def told(member: Any) -> str:
    """What a member of a registry says about itself: its fields in words, or the first line of its docstring."""
    if not dataclasses.is_dataclass(member):
        return (inspect.getdoc(member) or "").split("\n")[0]
    fields = {f.name: getattr(member, f.name) for f in dataclasses.fields(member) if f.name not in ("name", "id")}
    return "; ".join(f"{k.replace('_', ' ')}: {v}" for k, v in fields.items() if isinstance(v, str) and v)


def members_of(registry: Registry[Any]) -> nodes.bullet_list:
    """A registry as a list of its names, each with what it says about itself."""
    items = nodes.bullet_list()
    for name in registry:
        line = nodes.paragraph("", "", nodes.literal(text=name), nodes.Text(f" – {told(registry[name])}"))
        items += nodes.list_item("", line)
    return items


class PublicNames(SphinxDirective):
    """The reference of the public names of the package that is the argument."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Hand the names to autodoc, one by one."""
        package = self.arguments[0]
        holder = nodes.Element()
        self._documented([f".. automodule:: {package}", "   :no-members:"], package, holder)
        for name, where in defined_in(package).items():
            module = importlib.import_module(where)
            thing = getattr(module, name)
            self._documented(autodoc_of(thing, f"{where}.{name}"), where, holder)
            if isinstance(thing, Registry):
                holder += members_of(thing)
            self.env.note_dependency(inspect.getfile(module))
        return holder.children

    def _documented(self, directive: list[str], source: str, holder: nodes.Element) -> None:
        self.state.nested_parse(StringList(["```{eval-rst}", *directive, "```"], source=source), 0, holder)


COLON = "\ue000"
"""Stands for a colon where napoleon must not see one."""


def hide_colons(_app: Any, what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Napoleon takes what stands before a colon in the docstring of an attribute for its type; here it is prose."""
    if what in ("attribute", "data", "property"):
        lines[:] = [line.replace(":", COLON) for line in lines]


def show_colons(_app: Any, _what: str, _name: str, _thing: Any, _options: Any, lines: list[str]) -> None:
    """Undo `hide_colons`."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def setup(app: Any) -> dict[str, Any]:
    """Register with Sphinx: one handler before napoleon's, one after it (500 is the default)."""
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-process-docstring", hide_colons, priority=400)
    app.connect("autodoc-process-docstring", show_colons, priority=600)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
