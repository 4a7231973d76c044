"""Every guide, followed to the letter: its files are written, its commands run, in a checkout of its own.

What needs a GPU or a cluster is followed as far as it goes without: `make` prints instead of running, Snakemake plans.
"""

import json
import re

import pytest
import yaml

from tests import scratch
from tests.conftest import ROOT

GUIDES = {path.stem: path.read_text(encoding="utf-8") for path in sorted((ROOT / "book" / "guides").glob("*.md"))}
FENCE = re.compile(r"^(`{3,})(\{code-block\} )?(\w+)\n(.*?)^\1\n", re.MULTILINE | re.DOTALL)
CAPTION = re.compile(r":caption: ([^\s,]+)(?:, (at the end|before the line (.+)))?\n\n?")
HELD_BACK = {
    "run-on-a-gpu": [("make ", "make -n ")],
    "run-on-a-cluster": [("make ", "make -n ")],
}
"""What stands for what cannot run here."""


def steps(text):
    """The blocks of a guide, in order: what they are, and what they say."""
    return [(code or language, body) for _, code, language, body in FENCE.findall(text)]


def write(folder, body):
    """A block with a caption is a file, or lines for one."""
    caption = CAPTION.match(body)
    path, where, line, content = folder / caption[1], caption[2], caption[3], body[caption.end() :]
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    assert bool(where) == path.exists(), f"{path.name}: lines go into a file that is there, a file is new"
    if line:
        assert old.count(f"\n{line}\n") == 1
        path.write_text(old.replace(f"\n{line}\n", f"\n{content}{line}\n"), encoding="utf-8")
    else:
        path.write_text(old + content, encoding="utf-8")


def follow(name, folder):
    """Do what the guide says; gives what was printed, command block by command block."""
    told = []
    for kind, body in steps(GUIDES[name]):
        if kind.startswith("{code-block}"):
            write(folder, body)
            continue
        if kind not in ("bash", "python"):
            continue
        for what, instead in HELD_BACK.get(name, []):
            body = body.replace(what, instead)
        done = scratch.run(body if kind == "bash" else f"python - <<'END OF STEP'\n{body}END OF STEP\n", folder)
        assert done.returncode == 0, f"{body}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        told.append(done.stdout)
    return told


def test_every_guide_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text())
    (part,) = (p for p in toc["parts"] if p["caption"] == "Use it")
    assert {f"book/guides/{name}" for name in GUIDES} <= {c["file"] for c in part["chapters"]}
    assert len(GUIDES) == 9


def test_every_block_is_one_the_test_follows():
    for name, text in GUIDES.items():
        kinds = {kind for kind, _ in steps(text)}
        assert kinds <= {"bash", "python", "bibtex", "{code-block} "}, name
        assert "bash" in kinds
        assert text.count("\n```") + text.count("\n````") >= 2 * len(steps(text))


@pytest.fixture
def folder(tmp_path):
    return scratch.checkout(tmp_path / "checkout")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["add-a-model", "add-a-norm-set", "add-a-control", "add-a-claim", "add-a-chapter"])
def test_what_is_added_works(folder, name):
    told = "".join(follow(name, folder))
    wanted = {
        "add-a-model": "pythia-70m",
        "add-a-norm-set": '"mine"',
        "add-a-control": "shuffle-half-rows",
        "add-a-claim": "A6-alti-cumulated",
        "add-a-chapter": "my-chapter: executed",
    }
    assert wanted[name] in told
    assert "no tests ran" not in told
    if name == "add-a-chapter":
        assert (folder / "book" / "chapters" / "my-chapter.ipynb").is_file()


@pytest.mark.slow
def test_a_fork_is_made_executed_and_taken_back(folder):
    made, executed, removed = follow("fork-a-chapter", folder)[1:]
    assert "executed on smoke" in made
    assert "residual-mixing-in-my-model: executed" in executed
    assert "removed" in removed
    assert [line for line in scratch.status(folder) if "my-model" not in line] == []
    assert not list((folder / "notebooks").glob("*my-model*"))


@pytest.mark.slow
def test_what_a_gpu_gains_is_what_was_measured():
    rows = json.loads((ROOT / "benchmarks" / "results-cuda.json").read_text())["benchmarks"]["cuda"]
    order = ["ffnn", "value-zeroing", "propagated", "alti", "norm", "globenc", "weights", "plsr mcrae", "plsr buchanan"]
    table = re.findall(r"^\| .+ \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", GUIDES["run-on-a-gpu"], re.MULTILINE)
    for name, told in zip([*order, "largest"], table, strict=True):
        measured = [rows[name][key] for key in ("seconds", "against_seconds", "ratio")]
        assert [f"{value:.{len(text.partition('.')[2])}f}" for value, text in zip(measured, told)] == list(told), name


def test_run_on_a_gpu(folder):
    score = "interp score --folds 3 --latent 3 --metric auc-feature"
    assert scratch.run(score, folder).returncode == 0
    told = follow("run-on-a-gpu", folder)
    assert "--set 'device=cuda' --set 'dtype=bfloat16'" in told[0]
    assert "--profile 'gpu'" in told[0]
    assert "pytest -n 2 --dist loadgroup -m gpu" in told[1]
    assert "benchmarks.run cuda --into results-cuda" in told[2]
    assert "property-inference" in told[3]
    assert "there already" in told[4]
    planned = scratch.run("snakemake --dry-run --cores 1 --config profile=gpu \"set=['device=cpu']\"", folder)
    assert planned.returncode == 0, planned.stderr


@pytest.mark.slow
def test_run_on_a_cluster(folder):
    told = follow("run-on-a-cluster", folder)
    assert "scripts/book.py" in told[0]
    assert all("--executor 'slurm'" in line for line in told[0].splitlines())
    assert "This was a dry-run" in told[1]
    assert re.search(r"^run +10$", told[1], re.MULTILINE), told[1]
    assert "scripts/sweep.py 'config/sweep-mine.yml' --cores '2' --executor 'slurm'" in told[2]


@pytest.mark.slow
def test_cite(folder):
    (told,) = follow("cite", folder)
    cff = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert told.startswith(cff["version"])
    assert f"version = {{{cff['version']}}}" in GUIDES["cite"]
    paper = cff["references"][0]
    for author in paper["authors"]:
        assert author["family-names"] in GUIDES["cite"]
    assert paper["identifiers"][0]["value"].removeprefix("arXiv:") in GUIDES["cite"]
