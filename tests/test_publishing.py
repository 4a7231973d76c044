"""What is published: buttons lead to what the workflow pushes, actions are pinned, the book prints into one file."""

import hashlib
import json
import re
import subprocess

import jsonschema
import nbformat
import pytest
import yaml

import interp
from interp import profile, stopping
from interp.claims import CLAIMS, ledger
from interp.report import chapters
from interp.report.executed import records
from interp.report.ledger_page import ledger_markdown
from interp.subjects.catalogue import Name
from scripts import audit, pdf, published, readme
from tests.conftest import ROOT
from tests.test_book import HTML

WORKFLOWS = {p.stem: yaml.safe_load(p.read_text()) for p in (ROOT / ".github" / "workflows").glob("*.yml")}
CFF = yaml.safe_load((ROOT / "CITATION.cff").read_text())
CFF_SCHEMA = ROOT / "tests" / "cff" / "schema.json"


def executed(folder):
    """Chapters as small executed notebooks."""
    folder.mkdir()
    for name in chapters.names():
        cells = [nbformat.v4.new_code_cell("1 + 1", id="cell-000")]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    return folder


def test_published_notebooks_begin_with_what_they_need(tmp_path):
    places = published.publish(executed(tmp_path / "chapters"), tmp_path / "checkout")
    assert [p.stem for p in places] == chapters.names()
    first, second = nbformat.read(tmp_path / "checkout" / places[0], as_version=4).cells
    nbformat.validate(nbformat.read(tmp_path / "checkout" / places[0], as_version=4))
    compile(first.source, "setup", "exec")
    assert f'"--branch", "{published.CONFIG["branch"]}", "{published.CONFIG["url"]}"' in first.source
    exec(first.source)  # inside an environment with the package it does nothing
    assert second.source == "1 + 1"


@pytest.mark.book
def test_launch_buttons_lead_to_what_the_workflow_pushes(tmp_path):
    config, steps = published.CONFIG, WORKFLOWS["publish"]["jobs"]["notebooks"]["steps"]
    pushed = re.search(r"git push --force origin (\S+)", steps[-1]["run"]).group(1)
    assert pushed == config["branch"]
    places = {p.as_posix() for p in published.publish(executed(tmp_path / "chapters"), tmp_path / "checkout")}
    assert places
    owner = config["url"].removeprefix("https://github.com/")
    for place in places:
        page = (HTML / place).with_suffix(".html").read_text(encoding="utf-8")
        addresses = set(re.findall(r'href="(https://(?:mybinder\.org|colab\.research\.google\.com)/[^"]+)"', page))
        assert addresses == {
            f"https://mybinder.org/v2/gh/{owner}/{pushed}?urlpath=lab/tree/{place}",
            f"https://colab.research.google.com/github/{owner}/blob/{pushed}/{place}",
        }


MAY_WRITE = {
    "publish": {
        "pages": {"pages": "write", "id-token": "write"},
        "notebooks": {"contents": "write"},
        "release": {"contents": "write"},
    }
}
"""Jobs that may do more than read, and what; everything else reads."""


@pytest.mark.parametrize("name", sorted(WORKFLOWS))
def test_workflows_are_pinned_and_may_do_little(name):
    workflow = WORKFLOWS[name]
    assert workflow["permissions"] == {"contents": "read"}
    assert "pull_request_target" not in workflow[True]  # YAML 1.1 reads the key `on` as a truth
    granted = {job: body["permissions"] for job, body in workflow["jobs"].items() if "permissions" in body}
    assert granted == MAY_WRITE.get(name, {})
    for job, body in workflow["jobs"].items():
        assert body["runs-on"] == "ubuntu-24.04"
        for step in body["steps"]:
            if "uses" in step:
                assert re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", step["uses"])
            if step.get("uses", "").startswith("actions/checkout@") and job not in granted:
                assert step["with"] == {"persist-credentials": False}
            # What someone else can write (a title, a branch) reaches a shell as a variable, never as part of the line.
            assert "${{" not in step.get("run", "")
        if job in granted:  # what may write runs nothing of a build
            assert not any("make " in step.get("run", "") for step in body["steps"])


@pytest.mark.parametrize("path", sorted((ROOT / ".github" / "workflows").iterdir()), ids=lambda p: p.name)
def test_every_workflow_is_looked_at_and_tells_the_version_it_pins(path):
    assert path.suffix == ".yml"
    assert path.stem in WORKFLOWS
    for line in path.read_text().splitlines():
        if "uses:" in line:
            assert re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line), line


def test_the_audit_is_strict_and_leaves_out_what_is_explained(tmp_path, monkeypatch):
    runs = [step.get("run") for job in WORKFLOWS["links"]["jobs"].values() for step in job["steps"]]
    assert "python scripts/audit.py" in runs
    call = audit.command(ROOT / "python")
    assert "--strict" in call
    assert str(ROOT / "requirements.lock") in call
    assert call.count("--ignore-vuln") == len(audit.exceptions())
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "audit.md").write_text("| GHSA-1-2 | sphinx | we never do that |\n| GHSA-3-4 | x |\n")
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    assert audit.command(ROOT / "python")[-2:] == ["--ignore-vuln", "GHSA-1-2"]


def test_make_targets_of_the_workflows_exist():
    makefile = (ROOT / "Makefile").read_text()
    called = re.findall(r"\bmake ([a-z]+)", "\n".join(p.read_text() for p in (ROOT / ".github").rglob("*.yml")))
    assert {"book", "pdf"} <= set(called)
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in called)


def violations(citation):
    """What the schema of the Citation File Format finds wrong."""
    schema = json.loads(CFF_SCHEMA.read_text(encoding="utf-8"))
    checker = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in checker.iter_errors(citation)]


def test_the_citation_is_valid_and_of_this_version():
    told = re.search(r"`([0-9a-f]{64})`", (CFF_SCHEMA.parent / "README.md").read_text()).group(1)
    assert hashlib.sha256(CFF_SCHEMA.read_bytes()).hexdigest() == told
    assert violations(CFF) == []
    assert violations({**CFF, "date-released": "soon"}) != []
    assert violations({**CFF, "licence": "MIT"}) != []
    assert {"type", "license", "abstract", "repository-code", "date-released"} <= set(CFF)
    assert CFF["version"] == interp.__version__


README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readme_tells_what_the_reference_results_say():
    known = ledger.of_reference().query("data != 'everyday'")  # these norms are scored in every default build
    told = dict(re.findall(r"^\| ([AP]\d) \|.*\| ([^|]+) \|$", README, re.MULTILINE))
    assert list(told) == list(CLAIMS)
    assert told == dict(re.findall(r"^\| ([AP]\d) \|.*\| ([^|]+) \|$", ledger_markdown(known), re.MULTILINE))
    trained = [subject for subject in known["subject"] if Name.parse(subject).twin is None]
    assert sum(map(int, re.findall(r"\d+", "".join(told.values())))) == len(trained)


@pytest.mark.parametrize(("script", "missing"), [(readme, "no chapter has been executed"), (pdf, "there is no book")])
def test_without_a_book_there_is_one_line_and_exit_code_2(script, missing, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "ROOT", tmp_path)
    monkeypatch.setattr(script, "HTML", tmp_path, raising=False)
    assert stopping.exit_code(script.main, "nothing is lost") == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(rf"error: {missing}[^\n]+; run make book\n", said.err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.book
def test_the_readme_tells_what_came_out_in_the_default_build():
    folder = ROOT / "book" / "chapters"
    embedded = profile.load("embedded")
    for name, run in records(folder).items():
        wanted = embedded.of(name, chapters.parameters(name))
        if not {k: repr(v) for k, v in wanted.items()}.items() <= run["parameters"].items():
            pytest.skip(f"the chapter {name} of this book was not executed with the profile embedded")
    assert readme.updated(README, folder) == README, "make readme brings it up to date"


def test_contributing_takes_four_commands():
    text = (ROOT / "CONTRIBUTING.md").read_text()
    commands = re.search(r"```bash\n(.*?)```", text, re.DOTALL).group(1).splitlines()
    assert len(commands) == 4
    for command in commands:
        subprocess.run(["make", "--dry-run", command.split()[1]], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.book
@pytest.mark.slow
def test_the_book_prints_into_one_file(tmp_path):
    out = tmp_path / "book.pdf"
    pdf.print_book(out)
    printed = out.read_bytes()
    assert printed.startswith(b"%PDF-")
    count = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert count > 2 * len(pdf.pages())
    assert b"/Outlines" in printed
    assert b"127.0.0.1" not in printed, "a link of the site was left as it stands on the server"
    assert len(printed) < 30_000_000
