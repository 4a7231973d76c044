"""Sweeps: the file and its mistakes, the runs and their names, what is gathered, and the page that compares."""

import json
import re
import sys
from html.parser import HTMLParser
from itertools import product

import pandas as pd
import pytest
import yaml

from interp import profile, reference
from interp.claims import CLAIMS, ledger, readings
from interp.errors import InputError
from interp.files import alone
from interp.report import chapters, comparison, provenance, sweeps
from scripts import sweep as command
from tests.conftest import ROOT

GOOD = {"description": "x", "profile": "smoke", "chapters": ["token-identity"], "subjects": ["minilm"]}


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder with the book's chapters and profiles, where sweeps can lie."""
    for name in ("notebooks", "config", "_config.yml"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.setenv("INTERP_ROOT", str(tmp_path))
    monkeypatch.setenv("INTERP_REFERENCE", str(tmp_path / "reference"))
    return tmp_path


@pytest.fixture
def write(tmp_path):
    def put(content):
        path = tmp_path / "mine.yml"
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
        return path

    return put


def swept(**changes):
    return sweeps.Sweep(**{"name": "mine", **GOOD, **changes})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**GOOD, "subjcts": ["gpt2"]}, "unknown key 'subjcts'; did you mean 'subjects'"),
        ({**GOOD, "parameters": ["least"]}, "parameters: input should be a valid dictionary"),
        ({**GOOD, "seeds": 3}, "seeds: input should be a valid list"),
        ({**GOOD, "seeds": [-1]}, "seeds.0: input should be greater than or equal to 0"),
        ({**GOOD, "seeds": ["0"]}, "seeds.0: input should be a valid integer"),
        ({**GOOD, "subjects": []}, "subjects: list should have at least 1 item"),
        ({**GOOD, "subjects": ["minilm", "minilm"]}, "subjects names 'minilm' twice"),
        ({**GOOD, "chapters": ["token-identty"]}, "unknown chapter 'token-identty'; did you mean 'token-identity'"),
        ({**GOOD, "name": "../.."}, "has no letter or digit"),
        ({k: v for k, v in GOOD.items() if k != "chapters"}, "chapters: field required"),
        ("- a list", "is no sweep: it should have the keys name, description"),
        ("{", "is no valid YAML"),
    ],
)
def test_a_mistake_in_a_sweep_file_is_named(write, content, message):
    with pytest.raises(InputError, match=re.escape(message)) as raised:
        sweeps.load(write(content))
    assert "\n" not in str(raised.value)


def test_a_sweep_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"no sweep file .*no\.yml; config/sweep\.yml is an example"):
        sweeps.load(tmp_path / "no.yml")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"subjects": ["minilmm"]}, "unknown subject 'minilmm'; did you mean 'minilm'"),
        ({"subjects": ["org/name"]}, "has no revision"),
        ({"norms": ["evryday"]}, "unknown norm set 'evryday'; did you mean 'everyday'"),
        ({"parameters": {"queris": 3}}, "unknown parameter 'queris'; did you mean 'queries'"),
        ({"parameters": {"seed": 3}}, "parameter seed: a sweep takes it from its file"),
    ],
)
def test_subjects_and_norms_are_checked_before_anything_runs(changes, message):
    with pytest.raises(InputError, match=message):
        sweeps.check(swept(**changes))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no.yml"], "no sweep file no.yml"),
        (["--executor", "slrm"], "unknown executor 'slrm'; did you mean 'slurm'"),
        (["--set", 'subject="gpt2"'], "parameter subject: a sweep takes it from its file"),
        (["--cores", "0"], "CORES=0: at least one"),
        (["--set", "device=gpu"], "unknown device 'gpu'"),
        (["--set", "txts=3"], "unknown parameter 'txts'; did you mean 'texts'"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_line(arguments, message, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(sys, "argv", ["sweep.py", *arguments])
    assert command.main() == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("error: ")
    assert error.count("\n") == 1


def test_parameters_reach_the_chapters_that_know_them():
    sweep = swept(chapters=["token-identity", "perturbed-attention"], parameters={"least": 200})
    sweeps.check(sweep)
    given = {run.chapter: dict(run.given) for run in sweeps.plan(sweep).runs}
    assert given["perturbed-attention"]["least"] == 200
    assert "least" not in given["token-identity"]


@pytest.mark.usefixtures("checkout")
def test_what_is_gathered_can_be_kept_too(write, monkeypatch):
    file = write({**GOOD, "name": "mine"})
    sweep = sweeps.load(file)
    (run,) = sweeps.plan(sweep).runs
    execute(profile.project_root(), sweep, run)
    monkeypatch.setattr(sys, "argv", ["sweep.py", str(file), "--gather", "--keep"])
    assert command.main() == 0
    assert list(reference.load(comparison.REFERENCE, "runs")["run"]) == [run.name]


@pytest.mark.usefixtures("checkout")
def test_a_sweep_runs_once_at_a_time(monkeypatch, capsys):
    sweep = sweeps.load(ROOT / "config" / "sweep.yml")
    monkeypatch.setattr(sys, "argv", ["sweep.py", str(ROOT / "config" / "sweep.yml")])
    with alone(profile.project_root() / sweep.folder.with_suffix(".lock"), "a sweep"):
        assert command.main() == 2
    assert capsys.readouterr().err.startswith(f"error: the sweep {sweep.name} is running here already (process ")


def test_the_committed_sweep_is_valid_and_no_profile():
    sweep = sweeps.load(ROOT / "config" / "sweep.yml")
    sweeps.check(sweep)
    assert "sweep" not in {path.stem for path in profile.files()}
    assert {r.chapter for r in readings()} == set(sweep.chapters), "every chapter that judges a reading"
    assert len(sweeps.plan(sweep).runs) > len(sweep.chapters)


def test_the_plan_on_paper_counts_the_jobs_there_would_be():
    sweep = sweeps.load(ROOT / "config" / "sweep.yml")
    subjects, norms = [f"org/m{i}@{i:040d}" for i in range(10)], [f"norms/n{i}.csv" for i in range(20)]
    runs = sweeps.plan(sweep.model_copy(update={"subjects": subjects, "norms": norms})).runs
    text = (ROOT / "book" / "guides" / "run-on-a-cluster.md").read_text(encoding="utf-8")
    assert f"= {len(runs) * 100:,}." in text


def test_a_chapter_runs_once_for_what_it_does_not_know():
    names = ["token-identity", "relation-probe", "property-inference"]
    sweep = swept(chapters=names, subjects=["minilm", "decoder-none"], norms=["everyday", "mcrae"], seeds=[0, 7])
    runs = sweeps.plan(sweep).runs
    assert [sum(r.chapter == name for r in runs) for name in names] == [2, 2 * 2, 2 * 2 * 2]
    assert len({(r.chapter, r.name) for r in runs}) == len(runs)


@pytest.mark.parametrize("chapter", chapters.names())
def test_every_chapter_takes_the_points_of_a_grid(chapter):
    known = chapters.parameters(chapter)
    sweep = swept(chapters=[chapter], norms=["mcrae"], seeds=[5])
    (run,) = sweeps.plan(sweep).runs
    given = chapters.given(run.arguments)
    assert given == dict(run.given)
    for key, value in given.items():
        chapters.check_parameter(chapter, known, key, value)
    assert ("subject" in known) == (given.get("subject") == "minilm")
    assert bool({"norms", "norm_set"} & set(known)) == (run.norms == "mcrae")
    assert run.seed in (5, None)
    if "first_seed" in known:
        assert (given["first_seed"], given["seeds"]) == (5, 1)
    bare = sweeps.plan(swept(chapters=[chapter])).runs[0]
    assert (bare.norms, bare.seed) == (None, None), "what a sweep does not say is the profile's"


def test_a_chapter_with_twins_of_its_own_is_not_run_for_a_twin():
    sweep = swept(
        chapters=["token-identity", "property-inference"], subjects=["minilm", "minilm:random", "minilm:int8"]
    )
    plan = sweeps.plan(sweep)
    assert plan.left_out == (("token-identity", "minilm:random"),)
    assert len(plan.runs) == 5
    for name in chapters.names():
        text = chapters.source(name).read_text(encoding="utf-8")
        if "{subject}:random" in text and name != "subjects-and-norms":  # which only describes them
            assert chapters.brings_twins(name)


def test_names_of_runs_are_safe_and_never_the_same():
    subjects = ["a/b", "a-b", "A/b", "a:b", "../x", "/etc/passwd", "x" * 300, "é", "日本", "a b", "a\nb", ";rm -rf *"]
    points = product(subjects, ["everyday", "norms/every day.csv", None], [0, 10, None])
    runs = [sweeps.Run("token-identity", *point, ()) for point in points]
    names = [run.name for run in runs]
    assert len(set(names)) == len(runs)
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) and len(name) < 120 for name in names)
    assert runs[0].name.startswith("a-b-everyday-seed0-")


def verdict(reading, subject, outcome="holds", statistic=0.5, data="everyday"):
    claim = {r.id: r.claim for r in readings()}[reading]
    numbers = {"statistic": statistic, "low": 0.4, "high": 0.6, "level": 0.95, "p": 0.01, "p_holm": 0.02, "note": ""}
    return {"claim": claim, "reading": reading, "subject": subject, "data": data, "outcome": outcome, **numbers}


def execute(checkout, sweep, run, *filed):
    """What is left of a run: a notebook with what it filed."""
    record = {"seconds": 3.0, "compute": 60.0, "stored": 4, "replayed": 0}
    outputs = [{"data": {ledger.MIME: list(filed)}}, {"data": {provenance.MIME: record}}]
    path = checkout / sweeps.notebook_of(sweep, run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"cells": [{"outputs": outputs}]}))


def test_what_runs_filed_becomes_one_table_whatever_their_order(checkout):
    sweep = swept(chapters=["token-identity", "property-inference"], subjects=["minilm", "minilm:random"], seeds=[1])
    runs = {(r.chapter, r.subject): r for r in sweeps.plan(sweep).runs}
    first, *rest = runs.values()
    both = [verdict("A2-raw", "minilm"), verdict("A2-raw", "minilm:random", "fails")]
    execute(checkout, sweep, first, *both, verdict("P2-rows", "minilm"))
    assert len(sweeps.gather(sweep)[sweeps.RUNS]) == 1, "what is not there yet is left out"
    for run in reversed(rest):
        execute(checkout, sweep, run, verdict("P1-f1", run.subject))
    tables = sweeps.write(sweep)
    outcomes, ran = tables[sweeps.OUTCOMES], tables[sweeps.RUNS]
    assert outcomes[["chapter", "subject", "outcome"]].to_numpy().tolist() == [
        ["token-identity", "minilm", "holds"],
        ["token-identity", "minilm:random", "fails"],
        ["property-inference", "minilm", "holds"],
        ["property-inference", "minilm:random", "holds"],
    ], "in the order of the sweep, and only readings that the chapter is the one to judge"
    assert ran["seed"].isna().tolist() == [True, False, False]
    csv = (checkout / sweep.folder / "outcomes.csv").read_bytes()
    sweeps.write(sweep)
    assert (checkout / sweep.folder / "outcomes.csv").read_bytes() == csv
    assert sweeps.read(sweep)[sweeps.OUTCOMES].equals(outcomes)
    assert [name for name, _ in sweeps.gathered()] == ["mine"]


def tables(*subjects, rows):
    runs = [
        {"run": s, "chapter": "c", "subject": s, "norms": None, "seed": 0, "profile": "smoke", "compute": 1}
        for s in subjects
    ]
    outcomes = pd.DataFrame(rows).reindex(columns=sweeps.OUTCOME_COLUMNS)
    return {sweeps.OUTCOMES: outcomes.assign(mapping=""), sweeps.RUNS: pd.DataFrame(runs)}


class Elements(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.ids += [found["id"]] if "id" in found else []
        self.links += [found["href"]] if "href" in found else []
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_escaped_and_has_every_id_once():
    nasty = "models/<script>x</script>"
    rows = [verdict("A2-raw", nasty, data="<b>plain"), verdict("A2-raw", "minilm", "fails")]
    found = tables(nasty, "minilm", rows=rows)
    one, other = comparison.comparison_html("sweep-0", found), comparison.comparison_html("sweep-1", found)
    assert "<script>" not in one
    assert "<b>" not in one
    page = Elements(one + other)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids)) == 2 * (1 + len(CLAIMS))
    assert {link.removeprefix("#") for link in page.links} <= set(page.ids)
    assert all(r.statement.split(" ")[0] in one for r in readings())


def test_columns_are_the_subjects_of_the_sweep():
    rows = [
        verdict("A2-raw", "minilm"),
        verdict("A2-raw", "minilm:random:0", "fails"),
        verdict("A2-raw", "minilm:permuted"),
    ]
    page = comparison.comparison_html("k", tables("minilm", "minilm:random", rows=rows))
    head = re.search(r"<thead>(.*?)</thead>", page)[1]
    assert re.findall(r"<th[^>]*>(.*?)</th>", head) == ["claim", "the paper says", "minilm", "minilm:random"]
    (line,) = re.findall(r'<a href="#k-A2">.*?</tr>', page)
    assert re.findall(r'data-outcome="(\w+)"', line) == ["holds", "fails"]


def test_draws_of_one_reading_are_told_together():
    rows = [verdict("A2-raw", "minilm", o, s) for o, s in (("holds", 0.2), ("holds", 0.4), ("fails", 0.9))]
    page = comparison.comparison_html("k", tables("minilm", rows=rows))
    assert "0.40 (0.20 to 0.90, 3 draws)" in page
    assert "2 hold" in page
    assert "1 fails" in page


def test_a_page_shows_as_many_subjects_as_one_can_read():
    many = [f"org/m{i}@{'0' * 40}" for i in range(comparison.MOST + 5)]
    page = comparison.comparison_html("k", tables(*many, rows=[verdict("A2-raw", many[-1])]))
    assert page.count('<th scope="col">org/') == comparison.MOST * (1 + len(CLAIMS))
    assert f"The first {comparison.MOST} subjects of {len(many)}" in page


def test_where_nothing_was_swept_the_page_says_so(checkout):
    assert not list((checkout).glob("reference/*"))
    assert comparison.comparison_markdown().startswith("No sweep has been run here; `make sweep`")


def test_a_sweep_that_is_kept_is_shown_everywhere(checkout):
    sweep = swept()
    (run,) = sweeps.plan(sweep).runs
    execute(checkout, sweep, run, verdict("A2-raw", "minilm"))
    comparison.keep(sweep, sweeps.write(sweep), "make sweep KEEP=1")
    meta = reference.meta(comparison.REFERENCE, "mine")
    assert meta["seconds"] == 60
    assert meta["identities"]["minilm"].startswith("sentence-transformers/")
    told = comparison.comparison_markdown()
    assert told.count("## The sweep *mine*") == 2
    assert told.index("Run in this checkout.") < told.index("Committed with the book; run on ")
    assert len(Elements(told).ids) == len(set(Elements(told).ids))
