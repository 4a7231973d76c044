"""Each bad input of `tests/bad_inputs.py`: one line on stderr, exit code 2, and every file as it was."""

import os
import shutil
import subprocess
import sys

import pytest
import torch

from interp import cli
from interp.errors import InputError
from interp.subjects.catalogue import check_device
from tests.bad_inputs import CASES
from tests.conftest import ROOT

SEVERAL = ("unknown norms", "twice a pair", "parameter that runs code", "terminal codes in a name", "pickled weights")
"""Cases that are run as processes of their own, too."""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """What commands look at in a checkout."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("notebooks", "config"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("_toc.yml", "_config.yml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture
def prepared(checkout, tmp_path, tiny_folders, monkeypatch):
    """A checkout with the files of a case; gives what is to be typed there."""
    here = tmp_path / "here"
    shutil.copytree(checkout, here)
    monkeypatch.chdir(here)
    for name, value in {"INTERP_DATA": "", "HF_HOME": str(tmp_path / "hub"), "INTERP_RESULTS": "results"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("INTERP_ROOT", raising=False)

    def prepare(case):
        for name, content in case.files.items():
            (here / name).write_bytes(content)
        if case.model is not None:
            shutil.copytree(tiny_folders["gpt2"], here / "model")
            case.model(here / "model")
        return [
            argument.format(gpt2=tiny_folders["gpt2"]) if "{gpt2}" in argument else argument
            for argument in case.arguments
        ]

    return prepare


def everything(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def is_refused(told, message):
    lines = [line for line in told.splitlines() if line.strip()]
    assert len(lines) == 1, told
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert lines[0].isprintable()


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_line_and_exit_code_2_and_changes_nothing(name, prepared, tmp_path, monkeypatch, capsys):
    arguments = prepared(CASES[name])
    before = everything(tmp_path)
    monkeypatch.setattr(sys, "argv", ["interp", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 2
    is_refused(capsys.readouterr().err, CASES[name].message)
    assert everything(tmp_path) == before


@pytest.mark.parametrize("name", SEVERAL)
def test_a_process_of_its_own_ends_the_same_way(name, prepared, tmp_path):
    arguments = prepared(CASES[name])
    before = everything(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "interp.cli", *arguments], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 2
    is_refused(done.stderr, CASES[name].message)
    assert everything(tmp_path) == before


def test_there_are_cases_for_every_command():
    commands = {command.name or command.callback.__name__ for command in cli.app.registered_commands}
    listings = {"norms", "perturbations", "subjects", "controls", "metrics", "methods", "corpora"}
    assert commands - listings == {case.arguments[0] for case in CASES.values()} & commands


def test_a_device_that_is_not_here_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="torch sees no CUDA device here; use cpu"):
        check_device("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_device("cuda:1")
    with pytest.raises(InputError, match="the CUDA devices here are cuda:0 to cuda:1"):
        check_device("cuda:2")


def test_make_book_refuses_what_no_chapter_can_run_with(monkeypatch, capsys):
    from scripts import book

    for given, message in {
        "subject=minilmm": "unknown subject 'minilmm'; did you mean 'minilm'",
        "subject=": "parameter subject: it needs a value",
        "subject=org/name": "has no revision",
        "device=tpu": "unknown device 'tpu'",
        "dtype=float": "unknown dtype 'float'",
        "sbject=gpt2": "unknown parameter 'sbject'; did you mean 'subject'",
        "subject": "write name=value",
    }.items():
        monkeypatch.setattr(sys, "argv", ["book.py", "--profile", "smoke", "--set", given])
        assert book.main() == 2
        is_refused(capsys.readouterr().err, message)
    for option, message in {"--cores=0": "CORES=0: at least one", "--profile=smok": "did you mean 'smoke'"}.items():
        monkeypatch.setattr(sys, "argv", ["book.py", option])
        assert book.main() == 2
        is_refused(capsys.readouterr().err, message)


def test_make_hands_a_variable_on_as_one_word(tmp_path):
    hostile = "a b'; touch executed; '`touch executed`"
    shown = subprocess.run(
        ["make", "--dry-run", "--always-make", "--file", str(ROOT / "Makefile"), "chapter", "PYTHON=true", "VENV=.venv"]
        + [f"{name}={hostile}" for name in ("CHAPTER", "PROFILE", "SUBJECT", "DEVICE", "DTYPE")],
        capture_output=True, text=True, cwd=ROOT, check=True,
    ).stdout  # fmt: skip
    line = next(line for line in shown.splitlines() if "interp chapter" in line)
    typed = subprocess.run(
        ["bash", "-c", line.replace(".venv/bin/interp", "printf '%s\\n'")],
        capture_output=True, text=True, cwd=tmp_path, check=True,
    ).stdout.splitlines()  # fmt: skip
    given = [f"{name}={hostile}" for name in ("subject", "device", "dtype")]
    assert typed == ["chapter", hostile, "--profile", hostile, *(word for pair in given for word in ("--set", pair))]
    assert not list(tmp_path.rglob("executed"))
