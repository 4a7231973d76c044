"""Forks: a chapter of one's own passes what chapters pass, shows text as text, and leaves no trace when removed."""

import os
import shutil
import subprocess
import sys

import nbformat
import pytest
import yaml
from markdown_it import MarkdownIt

from interp import cli, profile
from interp.errors import InputError
from interp.report import chapters, contents, forks, yaml_lines
from scripts import canonical
from tests.conftest import ROOT
from tests.tiny import folder

HOSTILE = "`a` <script>alert(1)</script> {glue:text}`x` {{y}} $z$ *b* ](http://e) &amp; \\ # ! Ünïcode"


def interp(capsys, *arguments):
    sys.argv = ["interp", *arguments]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    told = capsys.readouterr()
    return ended.value.code, told.out, [line for line in told.err.splitlines() if line.strip()]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A checkout of one's own under version control, without history."""
    copy = tmp_path / "checkout"
    for name in ("notebooks", "config"):
        shutil.copytree(ROOT / name, copy / name)
    for name in ("_toc.yml", "_config.yml"):
        shutil.copy(ROOT / name, copy / name)
    (copy / ".gitignore").write_text((ROOT / ".gitignore").read_text())
    for command in (["init", "-q"], ["add", "-A"], ["-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x"]):
        subprocess.run(["git", *command], cwd=copy, check=True)
    monkeypatch.chdir(copy)
    monkeypatch.delenv("INTERP_ROOT", raising=False)
    return copy


def status(folder):
    done = subprocess.run(["git", "status", "--porcelain"], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_fork_has_its_own_parameters_and_passes_what_chapters_pass(checkout, tiny_folders):
    made = forks.make("residual-mixing", subject=str(tiny_folders["gpt2"]), given={"texts": 9}, check=False)
    assert made.name == f"residual-mixing-{tiny_folders['gpt2'].name}"
    text = (checkout / "notebooks" / f"{made.name}.md").read_text(encoding="utf-8")
    assert canonical.canonical(text) == text
    assert chapters.parameters(made.name) == chapters.parameters("residual-mixing") | {
        "subject": str(tiny_folders["gpt2"]),
        "texts": 9,
    }
    assert contents.forks() == [made.name]
    toc = yaml.safe_load((checkout / "_toc.yml").read_text())
    assert toc["parts"][-1] == {"caption": "Forks", "chapters": [{"file": f"book/chapters/{made.name}"}]}
    for name in ("embedded", "norms", "paper", "gpu", "smoke"):
        loaded = profile.load(name)
        chapters.check(loaded)
        assert set(loaded.chapters) == set(chapters.names())
        run = loaded.of(made.name, chapters.parameters(made.name))
        assert run["subject"] == str(tiny_folders["gpt2"])
        assert run["texts"] == (6 if name == "smoke" else 9)
        assert run["corpus"] == loaded.of("residual-mixing", chapters.parameters("residual-mixing"))["corpus"]


def test_nothing_of_a_fork_is_left_when_it_is_removed(checkout, tiny_folders, capsys):
    (checkout / "mine.csv").write_text(
        "concept,feature,value\n" + "\n".join(f"w{i},f{j},{1 + (i + j) % 3}" for i in range(12) for j in range(4))
    )
    before = {p: p.read_bytes() for p in [checkout / "_toc.yml", *(checkout / "config").glob("*.yml")]}
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y", "add", "-A"], check=True)
    subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "norms"], check=True)
    first = ["residual-mixing", "--subject", str(tiny_folders["bert"]), "--title", HOSTILE]
    second = ["property-inference", "--norms", "mine.csv"]
    for arguments in (first, second):
        code, out, _ = interp(capsys, "fork", *arguments, "--no-check")
        assert code == 0
        assert "make chapter CHAPTER=" in out
    names = contents.forks()
    assert names[1] == "property-inference-mine"
    assert chapters.parameters(names[1])["norms"] == ["mine.csv"]
    views = checkout / "book" / "_static" / "views"
    views.mkdir(parents=True)
    (checkout / "book" / "chapters").mkdir()
    (views / f"{names[0]}--x.html").write_text("")
    (views / "kept.html").write_text("")
    (checkout / "book" / "chapters" / f"{names[0]}.ipynb").write_text("")
    for name in names:
        assert interp(capsys, "fork", "--remove", name)[0] == 0
    assert status(checkout) == []
    assert {p: p.read_bytes() for p in before} == before
    assert [p.name for p in (checkout / "book").rglob("*") if p.is_file()] == ["kept.html"]


@pytest.mark.usefixtures("checkout")
def test_a_title_is_text_whatever_it_holds(tiny_folders):
    made = forks.make("residual-mixing", subject=str(tiny_folders["bert"]), title=HOSTILE, check=False)
    heading = chapters.read(made.name).cells[0].source.splitlines()[0]
    (inline,) = [t for t in MarkdownIt().parse(heading) if t.type == "inline"]
    assert {t.type for t in inline.children} <= {"text", "text_special"}
    assert "".join(t.content for t in inline.children) == HOSTILE
    again = forks.make(made.name, subject="minilm", check=False)
    assert again.title == f"{HOSTILE}: minilm"
    assert set(made.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_parameters_are_literals_whatever_they_hold(checkout):
    value = "\"'\\\n```\nimport os; {x} \u2028 é"
    made = forks.make("residual-mixing", given={"example": value}, check=False)
    assert chapters.parameters(made.name)["example"] == value
    assert profile.load("paper").chapters[made.name]["example"] == value
    text = (checkout / "notebooks" / f"{made.name}.md").read_text(encoding="utf-8")
    assert canonical.canonical(text) == text
    assert len(chapters.read(made.name).cells) == len(chapters.read("residual-mixing").cells)


BAD = {
    "nothing to do": ([], "takes it back"),
    "both": (["residual-mixing", "--remove", "x"], "takes it back"),
    "unknown chapter": (["residual-mixin", "--subject", "minilm"], "did you mean 'residual-mixing'"),
    "no difference": (["residual-mixing"], "a fork differs in something"),
    "unknown subject": (["residual-mixing", "--subject", "minilmm"], "did you mean 'minilm'"),
    "no revision": (["residual-mixing", "--subject", "org/name"], "has no revision"),
    "no such parameter": (["everyday", "--subject", "minilm"], "unknown parameter 'subject'"),
    "norms it has not": (["residual-mixing", "--norms", "everyday"], "unknown parameter 'norms'"),
    "no such norms": (["controls", "--norms", "nowhere.csv"], "no file of norms at nowhere.csv"),
    "ill-typed": (["residual-mixing", "--set", "texts=many"], "parameter texts takes int"),
    "name taken": (["residual-mixing", "--subject", "minilm", "--title", "Controls"], "a chapter 'controls' already"),
    "control characters": (["residual-mixing", "--subject", "minilm", "--title", "a\x1b[31m"], "printable characters"),
    "endless title": (["residual-mixing", "--subject", "minilm", "--title", "a" * 151], "at most 150"),
    "a chapter of the book": (["--remove", "controls"], "unknown fork 'controls'"),
    "a path": (["--remove", "../README"], "unknown fork '../README'"),
}


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_changes_nothing(checkout, arguments, message, capsys):
    code, _, lines = interp(capsys, "fork", *arguments, "--no-check")
    assert code == 2
    assert len(lines) == 1
    assert message in lines[0]
    assert status(checkout) == []


def test_what_does_not_execute_is_not_made(checkout, monkeypatch):
    def refuse(chapter, values, out):  # noqa: ARG001
        raise InputError(f"chapter {chapter} failed in cell 3")

    monkeypatch.setattr(chapters, "execute", refuse)
    with pytest.raises(InputError, match=r"no fork was made: .*failed in cell 3; --no-check makes one unexecuted"):
        forks.make("residual-mixing", subject="minilm")
    assert status(checkout) == []
    monkeypatch.setattr(chapters, "execute", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        forks.make("residual-mixing", subject="minilm")
    assert status(checkout) == []


def test_views_of_a_fork_have_files_of_their_own(monkeypatch, tmp_path):
    from interp.report import views

    monkeypatch.setenv("INTERP_VIEWS", str(tmp_path))
    monkeypatch.setenv("INTERP_CHAPTER", "attention-collapse-gpt2")
    assert views.write("which-one", "x").name == "attention-collapse-gpt2--which-one.html"
    frame = views.frame_html("which-one", title="t", height=1, caption="c")
    assert 'src="../../_static/views/attention-collapse-gpt2--which-one.html"' in frame


def test_lines_of_yaml_come_and_go_without_touching_others():
    text = "a: 1  # one\nchapters:\n  x: {k: 1}  # kept\n\n  y:\n    k: [1, 2]\n# the end\nlast: |\n  text\n"
    at = yaml_lines.end(yaml_lines.block(text, "p.yml", "chapters"))
    more = yaml_lines.insert(text, at, {"z": {"k": [1], "s": "a: b"}}, 2)
    assert more == text.replace("[1, 2]\n", "[1, 2]\n  z:\n    k: [1]\n    s: 'a: b'\n")
    key, value = yaml_lines.block(more, "p.yml", "chapters").value[-1]
    assert yaml_lines.cut(more, yaml_lines.start(key), yaml_lines.end(value)) == text
    for bad in ("chapters: {x: }\n", "chapters:\n", "other:\n  x: 1\n", "chapters: [\n", "chapters:\n  x: 1"):
        with pytest.raises(InputError, match=r"p\.yml"):
            yaml_lines.block(bad, "p.yml", "chapters")


@pytest.mark.slow
@pytest.mark.xdist_group("chapters")
def test_a_fork_executes_on_smoke_with_its_glue(checkout, kernels, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("JUPYTER_PATH", str(kernels))
    model = folder("gpt2", tmp_path / "small-gpt2", positions=200)
    code, out, lines = interp(capsys, "fork", "residual-mixing", "--subject", str(model))
    assert (code, lines) == (0, [])
    assert "executed on smoke" in out
    (name,) = contents.forks()
    page = checkout / "book" / "chapters" / f"{name}.ipynb"
    assert interp(capsys, "chapter", name, "--profile", "smoke")[0] == 0
    outputs = [o for c in nbformat.read(page, as_version=4).cells for o in c.get("outputs", [])]
    glued = {o.metadata["scrapbook"]["name"] for o in outputs if "scrapbook" in o.get("metadata", {})}
    text = (checkout / "notebooks" / f"{name}.md").read_text(encoding="utf-8")
    assert {part.split("`")[0].split(":")[0] for part in text.split("{glue:text}`")[1:]} <= glued
    assert "INTERP_CHAPTER" not in os.environ
    interp(capsys, "fork", "--remove", name)
    assert status(checkout) == []
