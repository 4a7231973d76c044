"""pyproject.toml, requirements.lock and environment.yml describe one environment, and it is the one we run in."""

import os
import re
import subprocess
import sys
import tomllib
from importlib import metadata

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from scripts import lock
from tests.conftest import ROOT


def pins_of(name):
    lines = (ROOT / name).read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


LOCK, MINIMUM = pins_of("requirements.lock"), pins_of("requirements-minimum.lock")
HERE = pins_of(os.environ.get("INTERP_LOCK", "requirements.lock"))
"""What this environment was made from (the Makefile tells it)."""
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


@pytest.mark.parametrize("package", sorted(HERE))
def test_what_is_installed_is_what_is_locked(package):
    installed = metadata.version(package).split("+")[0]  # torch's CPU build carries a local label
    assert installed == HERE[package]


def test_the_lowest_versions_are_those_of_the_project():
    """`make minimum` tests the bounds that pyproject.toml states, and no newer ones."""
    pins = {name_of(k): v for k, v in MINIMUM.items()}
    for package, version in lock.lowest().items():
        assert Version(pins[name_of(package)]) == Version(version), package


def test_facts_that_pages_rely_on():
    assert LOCK["jupyter-book"] == "1.0.4.post1"
    assert LOCK["sphinx-book-theme"] == "1.1.4"
    assert LOCK["pydata-sphinx-theme"] == "0.15.4"
    assert LOCK["torch"] == "2.13.0"


@pytest.mark.parametrize("workers", ["0", "1"])
def test_what_is_left_out_is_told(workers):
    """By pytest itself, and by the process that pytest-xdist's workers report to."""
    here = {k: v for k, v in os.environ.items() if k not in ("INTERP_DATA", "INTERP_REQUIRE") and "PYTEST" not in k}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-n",
        workers,
        "-p",
        "no:cacheprovider",
        "-m",
        "data",
        "tests/test_permutation.py",
    ]
    told = subprocess.run(command, cwd=ROOT, env=here, capture_output=True, text=True).stdout
    assert "left out: 1 tests marked 'data', because INTERP_DATA is not set" in told
