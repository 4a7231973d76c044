# The whole book as a graph: profile -> executed chapters -> HTML. `make book` runs it; so does any Snakemake executor.
#
#   snakemake --cores 2 --config profile=norms
#   snakemake --config profile=embedded set="['subject=gpt2']"

import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from interp import profile as profiles
from interp.report import chapters as book_chapters

PROFILE = profiles.load(config.get("profile", "embedded"))
book_chapters.check(PROFILE)
GIVEN = book_chapters.given(list(config.get("set", [])))
PYTHON = sys.executable
CHAPTERS = list(PROFILE.chapters)
PACKAGE = sorted(str(p) for p in Path("interp").rglob("*") if p.suffix in {".py", ".tsv", ".yml"})
PAGES = sorted(str(p) for p in Path("book").rglob("*") if p.is_file() and not {"chapters", "views"} & set(p.parts))


def parameters_of(wildcards):
    """What the chapter runs with: a change of it, and of nothing else in the profile, runs the chapter again."""
    known = book_chapters.parameters(wildcards.chapter)
    return sorted(PROFILE.of(wildcards.chapter, known, GIVEN).items())


rule all:
    input:
        "_build/html/index.html",


rule chapter:
    input:
        text="notebooks/{chapter}.md",
        package=PACKAGE,
    output:
        "book/chapters/{chapter}.ipynb",
    params:
        values=parameters_of,
        given=[f"--set '{pair}'" for pair in config.get("set", [])],
        profile=config.get("profile", "embedded"),
    threads: 1
    shell:
        "OMP_NUM_THREADS={threads} {PYTHON} -m interp.cli chapter {wildcards.chapter} --profile {params.profile}"
        " {params.given} --out {output}"


rule html:
    input:
        expand("book/chapters/{chapter}.ipynb", chapter=CHAPTERS),
        PAGES,
        "_config.yml",
        "_toc.yml",
    output:
        "_build/html/index.html",
    shell:
        "{PYTHON} scripts/pages.py && touch {output}"
