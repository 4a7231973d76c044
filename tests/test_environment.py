"""pyproject.toml, requirements.lock and environment.yml describe one environment, and it is the one we run in."""

import re
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement

from tests.conftest import ROOT

LOCK = dict(
    line.split("==")
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if line and not line.startswith("#")
)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def name_of(package):
    return re.sub(r"[-_.]+", "-", package).lower()


def test_the_lock_satisfies_every_requirement_of_the_project():
    pins = {name_of(k): v for k, v in LOCK.items()}
    wanted = [
        *PROJECT["dependencies"],
        *(r for extra in PROJECT["optional-dependencies"].values() for r in extra),
    ]
    for requirement in map(Requirement, wanted):
        assert requirement.specifier.contains(pins[name_of(requirement.name)], prereleases=True), requirement


def test_the_conda_environment_has_the_same_pins():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    pip = next(d["pip"] for d in environment["dependencies"] if isinstance(d, dict))
    assert [p for p in pip if not p.startswith("-")] == [f"{k}=={v}" for k, v in LOCK.items()]
    assert "--editable ." in pip
    assert "python=3.11" in environment["dependencies"]


def test_no_cuda_package_is_locked():
    assert not [p for p in LOCK if p.startswith(("nvidia", "triton", "cuda"))]


@pytest.mark.parametrize("package", sorted(LOCK))
def test_what_is_installed_is_what_is_locked(package):
    installed = metadata.version(package).split("+")[0]  # torch's CPU build carries a local label
    assert installed == LOCK[package]


def test_facts_that_pages_rely_on():
    assert LOCK["jupyter-book"] == "1.0.4.post1"
    assert LOCK["sphinx-book-theme"] == "1.1.4"
    assert LOCK["pydata-sphinx-theme"] == "0.15.4"
    assert LOCK["torch"] == "2.13.0"
