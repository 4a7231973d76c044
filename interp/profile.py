"""Profiles: which chapters run with which parameters, read from YAML and checked before anything is computed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from interp.errors import InputError
from interp.registry import unknown

Value = str | int | float | bool | list[str] | list[int] | list[float] | None


SWEEP = "sweep"
"""Files of ``config`` whose names begin with this are sweeps (see `interp.report.sweeps`), and no profiles."""

Model = TypeVar("Model", bound=BaseModel)


class Profile(BaseModel):
    """A profile file, as it stands in ``config/<name>.yml``."""

    model_config = ConfigDict(extra="forbid", strict=True)

    name: str
    description: str
    """What it is for, in a sentence."""
    parameters: dict[str, Value] = Field(default_factory=dict)
    """For every chapter that has a parameter of this name."""
    chapters: dict[str, dict[str, Value] | None]
    """The chapters to execute, with parameters of their own."""

    def of(self, chapter: str, known: Iterable[str], given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The parameters `chapter` runs with.

        Later ones win: the profile's common ones, the chapter's own, what is `given` on the command line. Common and
        given ones go only to chapters that know them.
        """
        known = set(known)
        common = {k: v for k, v in self.parameters.items() if k in known}
        return {
            **common,
            **(self.chapters.get(chapter) or {}),
            **{k: v for k, v in (given or {}).items() if k in known},
        }


def project_root() -> Path:
    """The checkout: the nearest folder upwards with the book's ``_config.yml`` (``$INTERP_ROOT`` overrides).

    Raises
    ------
    InputError
        If this is no checkout of the book.
    """
    if os.environ.get("INTERP_ROOT"):
        return Path(os.environ["INTERP_ROOT"])
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_config.yml").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise InputError(f"{here} is not inside a checkout of the book: run this where _config.yml lies")


def files() -> list[Path]:
    """The profiles of the checkout."""
    return sorted(p for p in (project_root() / "config").glob("*.yml") if not p.stem.startswith(SWEEP))


def load(name: str) -> Profile:
    """Read ``config/<name>.yml``, or the file `name`.

    Raises
    ------
    InputError
        If there is no such profile, it is no YAML, or it has an unknown or ill-typed key (named).
    """
    known = [p.stem for p in files()]
    path = project_root() / "config" / f"{name}.yml" if name in known else Path(name)
    if name not in known and not (path.suffix in (".yml", ".yaml") and os.path.isfile(path)):
        raise InputError(unknown("profile", name, known) + "; or give the path of a .yml")
    return read(path, Profile, "profile")


def read(path: Path, model: type[Model], kind: str) -> Model:
    """A YAML file as `model`, which gets the file's name without its ending as ``name``.

    Raises
    ------
    InputError
        If it is no YAML, no `kind`, or has an unknown or ill-typed key (named).
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{path} is no valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path} is no {kind}: it should have the keys {', '.join(model.model_fields)}")
    try:
        return model.model_validate({"name": path.stem, **content})
    except ValidationError as error:
        raise InputError(f"{path}: {_first_problem(error, model)}") from None


def _first_problem(error: ValidationError, model: type[BaseModel]) -> str:
    problem = error.errors()[0]
    where = ".".join(str(x) for x in problem["loc"][:3])
    if problem["type"] == "extra_forbidden":
        return unknown("key", where, list(model.model_fields))
    return f"{where}: {problem['msg'][0].lower()}{problem['msg'][1:]}"
