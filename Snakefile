# The whole book as a graph: profile -> executed chapters -> HTML. `make book` runs it; so does any Snakemake executor.
#
#   snakemake --cores 2 --config profile=norms
#   snakemake --cores 2 --config profile=embedded set="['subject=gpt2']"    (into _build/books/gpt2)
#   snakemake sweep --cores 2 --config sweep=config/sweep.yml                 (into _build/sweeps/sweep)
#   snakemake --profile profiles/slurm ...                                    (each job on a SLURM cluster)

import shlex
import sys
from functools import cache
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from interp import profile as profiles
from interp.report import chapters as book_chapters
from interp.report import contents, editions, sweeps

SWEEP = sweeps.load(Path(config["sweep"])) if "sweep" in config else None
PROFILE_NAME = SWEEP.profile if SWEEP else config.get("profile", "embedded")
PROFILE = profiles.load(PROFILE_NAME)
book_chapters.check(PROFILE)
PAIRS = list(config.get("set", []))
GIVEN = book_chapters.given(PAIRS)
PYTHON = sys.executable
EDITION = editions.edition(GIVEN)
FORKS = contents.forks() if EDITION.subject else []
CHAPTERS = [name for name in PROFILE.chapters if name not in FORKS]
EXECUTED = f"{EDITION.chapters}/{{chapter}}.ipynb"
INDEX = f"{EDITION.html}/index.html"
PACKAGE = sorted(str(p) for p in Path("interp").rglob("*") if p.suffix in {".py", ".tsv", ".yml"})
REFERENCE = sorted(str(p) for p in Path("book/reference").rglob("meta.json"))
PAGES = sorted(str(p) for p in Path("book").rglob("*") if p.is_file() and not {*editions.PRODUCTS, "__pycache__"} & set(p.parts))
SWEPT = sorted(str(p) for p in sweeps.FOLDER.glob(f"*/{sweeps.OUTCOMES}.parquet"))
known = cache(book_chapters.parameters)


def values(chapter, point=()):
    """What the chapter runs with: a change of it, and of nothing else in the profile, runs the chapter again."""
    return sorted(PROFILE.of(chapter, known(chapter), GIVEN | dict(point)).items())


def flags(pairs):
    """Parameters for the command line."""
    return [f"--set {shlex.quote(pair)}" for pair in pairs]


def gpus(chapter):
    """How many GPUs a chapter asks a cluster for."""
    return int(str(dict(values(chapter)).get("device")).startswith("cuda"))


EXECUTE = (
    "OMP_NUM_THREADS={threads} {PYTHON} -m interp.cli chapter {wildcards.chapter} --profile {PROFILE_NAME:q}"
    " {params.given} --out {output:q}"
)


localrules:
    all,
    package,
    html,
    sweep,
    gather,


rule all:
    input:
        INDEX,


# One file that is as new as the newest of the package: a sweep's graph has an edge to it, not to each of its files.
rule package:
    input:
        PACKAGE,
    output:
        touch("_build/package"),


rule chapter:
    input:
        text="notebooks/{chapter}.md",
        package=rules.package.output,
        reference=REFERENCE,
    output:
        EXECUTED,
    params:
        values=lambda wildcards: values(wildcards.chapter),
        given=flags(PAIRS),
    threads: 1
    resources:
        gpu=lambda wildcards: gpus(wildcards.chapter),
    shell:
        EXECUTE


rule html:
    input:
        expand(EXECUTED, chapter=CHAPTERS),
        PAGES,
        SWEPT,
        "_config.yml",
        "_toc.yml",
    output:
        INDEX,
    params:
        given=f"--subject {shlex.quote(EDITION.subject)}" if EDITION.subject else "",
    shell:
        "{PYTHON} scripts/pages.py {params.given} && touch {output}"


if SWEEP:
    RUNS = {(run.chapter, run.name): run for run in sweeps.plan(SWEEP).runs}

    rule sweep:
        input:
            [SWEEP.folder / f"{table}.{form}" for table in (sweeps.OUTCOMES, sweeps.RUNS) for form in ("parquet", "csv")],

    rule run:
        input:
            text="notebooks/{chapter}.md",
            package=rules.package.output,
        output:
            f"{SWEEP.folder}/{{run}}/{{chapter}}.ipynb",
        benchmark:
            f"{SWEEP.folder}/{{run}}/{{chapter}}.tsv"
        params:
            values=lambda wildcards: values(wildcards.chapter, RUNS[wildcards.chapter, wildcards.run].given),
            given=lambda wildcards: flags([*PAIRS, *RUNS[wildcards.chapter, wildcards.run].arguments]),
        threads: 1
        resources:
            gpu=lambda wildcards: gpus(wildcards.chapter),
        shell:
            EXECUTE

    rule gather:
        input:
            [sweeps.notebook_of(SWEEP, run) for run in RUNS.values()],
        output:
            rules.sweep.input,
        shell:
            "{PYTHON} scripts/sweep.py --gather {config[sweep]:q}"
