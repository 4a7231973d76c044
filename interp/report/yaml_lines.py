"""Entries put into block-style YAML and taken out again, every other byte of the file left as it is."""

from __future__ import annotations

from typing import Any

import yaml

from interp.errors import InputError


class _Block(yaml.SafeDumper):
    """One entry a line, lists of plain values in brackets, items indented: as the files are written by hand."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Items of a list stand further in than its key."""
        super().increase_indent(flow, indentless and flow)


def _list(dumper: yaml.SafeDumper, values: list[Any]) -> yaml.Node:
    """A sequence, in one line where nothing in it has parts."""
    plain = not any(isinstance(v, (list, dict)) for v in values)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=plain)


_Block.add_representer(list, _list)


def find(node: yaml.Node | None, key: str) -> yaml.Node | None:
    """The value of `key` in a mapping."""
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value
    return None


def start(node: yaml.Node) -> int:
    """The line, from 0, where a node begins."""
    return int(node.start_mark.line)


def end(node: yaml.Node) -> int:
    """The line after the last that a node has anything on (comments that follow are not its own)."""
    if isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        last = node.value[-1]
        return max(end(part) for part in (last if isinstance(last, tuple) else (last,)))
    return int(node.end_mark.line) + 1


def insert(text: str, at: int, value: Any, indent: int) -> str:
    """`text` with `value`, written as YAML and indented, before line `at`."""
    written = yaml.dump(
        value, Dumper=_Block, default_flow_style=False, sort_keys=False, allow_unicode=True, width=10_000
    )
    block = [" " * indent + line for line in written.splitlines(keepends=True)]
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:at], *block, *lines[at:]])


def cut(text: str, first: int, after: int) -> str:
    """`text` without the lines from `first` up to `after`."""
    lines = text.splitlines(keepends=True)
    return "".join([*lines[:first], *lines[after:]])


def block(text: str, where: str, key: str) -> yaml.CollectionNode:
    """The block that the top-level `key` holds.

    Raises
    ------
    InputError
        Where `text` is no YAML, has no such key, holds nothing there, or writes it in braces or brackets.
    """
    try:
        found = find(yaml.compose(text, Loader=yaml.SafeLoader), key)
    except yaml.YAMLError as error:
        raise InputError(f"{where} is no valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(found, yaml.CollectionNode) or found.flow_style or not found.value or not text.endswith("\n"):
        raise InputError(f"{where}: {key} should be a block with one entry a line")
    return found
