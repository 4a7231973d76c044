# The whole book as a graph: profile -> executed chapters -> HTML. `make book` runs it; so does any Snakemake executor.
#
#   snakemake --cores 2 --config profile=norms
#   snakemake --cores 2 --config profile=embedded set="['subject=gpt2']"    (into _build/books/gpt2)

import shlex
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from interp import profile as profiles
from interp.report import chapters as book_chapters
from interp.report import contents, editions

PROFILE = profiles.load(config.get("profile", "embedded"))
book_chapters.check(PROFILE)
GIVEN = book_chapters.given(list(config.get("set", [])))
PYTHON = sys.executable
EDITION = editions.edition(GIVEN)
FORKS = contents.forks() if EDITION.subject else []
CHAPTERS = [name for name in PROFILE.chapters if name not in FORKS]
EXECUTED = f"{EDITION.chapters}/{{chapter}}.ipynb"
INDEX = f"{EDITION.html}/index.html"
PACKAGE = sorted(str(p) for p in Path("interp").rglob("*") if p.suffix in {".py", ".tsv", ".yml"})
PAGES = sorted(str(p) for p in Path("book").rglob("*") if p.is_file() and editions.is_page(p))


def parameters_of(wildcards):
    """What the chapter runs with: a change of it, and of nothing else in the profile, runs the chapter again."""
    known = book_chapters.parameters(wildcards.chapter)
    return sorted(PROFILE.of(wildcards.chapter, known, GIVEN).items())


rule all:
    input:
        INDEX,


rule chapter:
    input:
        text="notebooks/{chapter}.md",
        package=PACKAGE,
    output:
        update(EXECUTED),  # the one before stays until the new one is whole
    params:
        values=parameters_of,
        given=[f"--set {shlex.quote(pair)}" for pair in config.get("set", [])],
        profile=config.get("profile", "embedded"),
    threads: 1
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} -m interp.cli chapter {wildcards.chapter} --profile {params.profile}"
        " {params.given} --out {output}"


rule html:
    input:
        expand(EXECUTED, chapter=CHAPTERS),
        PAGES,
        "_config.yml",
        "_toc.yml",
    output:
        update(INDEX),
    params:
        given=f"--subject {shlex.quote(EDITION.subject)}" if EDITION.subject else "",
    shell:
        "{PYTHON} scripts/pages.py {params.given} && touch {output}"
