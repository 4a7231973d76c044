"""Executing a chapter: Jupytext reads its text, Papermill runs it, and what is left is the same bytes every time."""

from __future__ import annotations

import os
import re
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from interp.errors import InputError
from interp.files import replacing
from interp.profile import Profile, project_root
from interp.registry import unknown

QUIET = {
    "TQDM_DISABLE": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONWARNINGS": "ignore:IProgress not found",
}
"""Progress bars become blocks of grey noise in a page; in a terminal they are shown."""

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def names() -> list[str]:
    """Every chapter there is."""
    return sorted(p.stem for p in (project_root() / "notebooks").glob("*.md"))


def source(chapter: str) -> Path:
    """The committed form of a chapter.

    Raises
    ------
    InputError
        For an unknown chapter.
    """
    if chapter not in names():  # and not whether there is such a file: no name leads out of the folder
        raise InputError(unknown("chapter", chapter, names()))
    return project_root() / "notebooks" / f"{chapter}.md"


def read(chapter: str) -> Any:
    """The chapter as a notebook, without outputs."""
    import jupytext

    return jupytext.read(source(chapter))


def written(notebook: Any) -> str:
    """The one committed form of a notebook: Jupytext's MyST Markdown, nothing in its header but the kernel."""
    import jupytext

    notebook.metadata = {
        "kernelspec": KERNEL,
        "jupytext": {"text_representation": {"extension": ".md", "format_name": "myst"}},
    }
    text = jupytext.writes(notebook, fmt="md:myst")
    return "\n".join(line for line in text.splitlines() if "jupytext_version" not in line) + "\n"


def title(chapter: str) -> str:
    """The chapter's first heading, as text."""
    found = re.search(r"^# (.+)$", source(chapter).read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise InputError(f"chapter {chapter} has no title: begin it with a line `# Title`")
    return re.sub(r"\\([^\w\s])", r"\1", found.group(1))


def brings_twins(chapter: str) -> bool:
    """Whether a chapter compares its subject with its untrained twins, as its header says; a twin has none."""
    return "and its untrained twins" in source(chapter).read_text(encoding="utf-8")


def parameters(chapter: str) -> dict[str, Any]:
    """Names and defaults of a chapter's parameters: the assignments of literals in the cell tagged ``parameters``."""
    import ast

    for cell in read(chapter).cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            found = {}
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                    found[node.targets[0].id] = ast.literal_eval(node.value)
            return found
    return {}


def check(profile: Profile) -> None:
    """Check that a profile's chapters and parameters exist and have the types of the defaults.

    Raises
    ------
    InputError
        Naming the chapter and the parameter.
    """
    all_parameters: dict[str, dict[str, Any]] = {}
    for chapter, own in profile.chapters.items():
        if chapter not in names():
            raise InputError(f"profile {profile.name}: {unknown('chapter', chapter, names())}")
        all_parameters[chapter] = parameters(chapter)
        for key, value in (own or {}).items():
            check_parameter(f"profile {profile.name}, chapter {chapter}", all_parameters[chapter], key, value)
    together = {k: v for known in all_parameters.values() for k, v in known.items()}
    for key, value in profile.parameters.items():
        check_parameter(f"profile {profile.name}", together, key, value)


def check_given(profile: Profile, given: Mapping[str, Any]) -> None:
    """Check parameters that are given to all chapters of a profile: one knows each, and those that do can run with it.

    Raises
    ------
    InputError
        Naming the parameter.
    """
    all_parameters = {chapter: parameters(chapter) for chapter in profile.chapters}
    together = {k: None for known in all_parameters.values() for k in known}
    for key, value in given.items():
        check_parameter("all chapters", together, key, value)
        for chapter, known in all_parameters.items():
            if key in known:
                check_parameter(f"chapter {chapter}", known, key, value)


def check_parameter(where: str, known: Mapping[str, Any], key: str, value: Any) -> None:
    """Check one parameter: the chapter has it, its type is the default's, and the value is one that can be."""
    from interp.report.parameters import check_value

    if key not in known:
        raise InputError(f"{where}: {unknown('parameter', key, list(known))}")
    default = known[key]
    if default is not None and value is not None and not _alike(default, value):
        raise InputError(f"{where}: parameter {key} takes {type(default).__name__}, as in {default!r}, not {value!r}")
    try:
        check_value(key, value, nothing_is_meant=default is None)
    except InputError as error:
        raise InputError(f"{where}: parameter {key}: {error}") from None


def _alike(default: Any, value: Any) -> bool:
    """Whether a value has the type of the default; items of a list that of the first item there."""
    if isinstance(default, list):
        return isinstance(value, list) and all(_alike(default[0], item) for item in value if default)
    number = isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool)
    return number or type(value) is type(default)


def given(pairs: list[str]) -> dict[str, Any]:
    """Parse ``key=value`` from a command line; values are YAML, so that numbers and lists are what they look like.

    Raises
    ------
    InputError
        For a pair without ``=``, or a value that is no YAML.
    """
    import yaml

    found = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f"parameter {pair!r}: write name=value")
        try:
            found[key] = yaml.safe_load(value)
        except (yaml.YAMLError, ValueError, RecursionError):  # a date that there is not, brackets without end
            raise InputError(f"parameter {key}: {value[:120]!r} is no valid value") from None
    return found


def execute(chapter: str, values: Mapping[str, Any], out: Path) -> float:
    """Run a chapter with parameters and write the executed notebook to `out`; gives the seconds it took.

    Raises
    ------
    InputError
        For an unknown or ill-typed parameter; for bad input that the chapter itself runs into; and where a cell fails,
        with the place of the notebook as far as it got.
    """
    import nbformat
    import papermill
    from papermill.exceptions import PapermillExecutionError

    known = parameters(chapter)
    for key, value in values.items():
        check_parameter(f"chapter {chapter}", known, key, value)
    root = project_root()
    os.environ.update(QUIET)
    os.environ.setdefault("INTERP_RESULTS", str(root / "results"))
    # A book's chapters write their views where that book looks for them; one executed elsewhere keeps them beside it.
    folder = out.resolve().parent
    inside_book = folder.parts[-2:] == ("book", "chapters")
    os.environ["INTERP_VIEWS"] = str(folder.parent / "_static" / "views" if inside_book else folder / "views")
    os.environ["INTERP_CHAPTER"] = chapter
    # The kernel is a process of its own and must find this very package.
    here = str(Path(__file__).resolve().parents[2])
    paths = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if here not in paths:
        os.environ["PYTHONPATH"] = os.pathsep.join([here, *filter(None, paths)])
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        inside, result = Path(scratch) / f"{chapter}.ipynb", Path(scratch) / "executed.ipynb"
        nbformat.write(read(chapter), inside)
        try:
            papermill.execute_notebook(
                str(inside),
                str(result),
                parameters=dict(values),
                kernel_name="python3",
                cwd=str(root),
                progress_bar=sys.stderr.isatty(),
                extra_arguments=["--IPKernelApp.log_level=50"],  # its notice about local sockets is no news here
                log_output=False,
            )
        except PapermillExecutionError as error:
            failed = root / "_build" / "failed" / f"{chapter}.ipynb"
            failed.parent.mkdir(parents=True, exist_ok=True)
            failed.write_bytes(result.read_bytes())
            if error.ename == "InputError":
                raise InputError(f"chapter {chapter}: {error.evalue}") from None
            message = re.sub(r"\x1b\[[0-9;]*m", "", f"{error.ename}: {error.evalue}").splitlines()[0][:300]
            raise InputError(
                f"chapter {chapter} failed in cell {error.exec_count}: {message} (as far as it got: {failed})"
            ) from None
        finally:
            del os.environ["INTERP_CHAPTER"]
        notebook = nbformat.read(result, as_version=4)
        show_parameters(notebook, known, values)
        notebook = canonical(notebook)
    with replacing(out) as partial:
        nbformat.write(notebook, partial)
    return time.perf_counter() - started


def show_parameters(notebook: Any, known: Mapping[str, Any], values: Mapping[str, Any]) -> None:
    """Put what the parameters mean, and what they are here, in the place of the cell that sets them."""
    from nbformat.v4 import new_markdown_cell

    from interp.report.parameters import folded

    for i, cell in enumerate(notebook.cells):
        if "parameters" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = [*cell.metadata["tags"], "hide-input"]
            notebook.cells.insert(i, new_markdown_cell(folded(known, values)))
            return


def canonical(notebook: Any) -> Any:
    """Strip what differs between two runs: time stamps, random ids, pairing, papermill's notes."""
    keep = {"kernelspec", "language_info"}
    notebook.metadata = {k: v for k, v in notebook.metadata.items() if k in keep}
    notebook.metadata["kernelspec"] = dict(KERNEL)
    notebook.metadata["language_info"] = {"name": "python"}
    for i, cell in enumerate(notebook.cells):
        cell.id = f"cell-{i:03d}"
        tags = cell.metadata.get("tags", [])
        if "injected-parameters" in tags:
            tags = ["remove-cell"]  # the provenance at the end of the page tells the parameters
        cell.metadata = {"tags": tags} if tags else {}
        for output in cell.get("outputs", []):
            output.get("metadata", {}).pop("papermill", None)
    return notebook
