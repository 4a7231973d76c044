"""The command line: the same computations as the book's, for one's own subject, norms or text."""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from interp import __version__, stopping
from interp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

app = typer.Typer(
    help="A replication of LLMs Explain't (arXiv 2601.22928), for one's own model, norms or text.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of a table.")]
SubjectName = Annotated[
    str, typer.Option("--subject", help="A short name, org/name@COMMIT, or a folder; :random, :permuted.")
]
Device = Annotated[str, typer.Option(help="Where torch computes: cpu, cuda, mps.")]
Dtype = Annotated[str, typer.Option(help="Numbers the subject computes with: float32, bfloat16, float64.")]


_PYTHONS_WARNING = warnings.formatwarning
# typer carries its own copy of click and does not export the base class of usage errors.
_UsageProblem: Any = next(c for c in typer.BadParameter.__mro__ if c.__name__ == "ClickException")


def main() -> None:
    """Run the command line; bad input, and a disk that is full or read-only, is one line on stderr and exit code 2."""
    warnings.formatwarning = _warning
    sys.exit(stopping.exit_code(_run, "what was finished is kept, and the same command goes on from there"))


def _run() -> int:
    """Run typer, with its own ways to end early made Python's."""
    try:
        code = app(standalone_mode=False)
    except _UsageProblem as error:
        raise InputError(error.format_message()) from None
    except typer.Abort:
        raise KeyboardInterrupt from None
    except BrokenPipeError:  # whoever reads has seen enough
        return 0
    if code == stopping.INTERRUPTED:
        raise KeyboardInterrupt
    return code if isinstance(code, int) else 0


def _warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """A warning of ours as one line; others with the place they come from, as Python has them."""
    if category.__module__.partition(".")[0] == __package__:
        return f"warning: {message}\n"
    return _PYTHONS_WARNING(message, category, filename, lineno, line)


def _print(rows: Sequence[Mapping[str, Any]], as_json: bool, title: str = "") -> None:
    """A table on a terminal, or JSON."""
    if as_json:
        print(json.dumps(list(rows), indent=1, ensure_ascii=False, default=_plain))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(box=box.SIMPLE_HEAD, title=title or None, title_justify="left", pad_edge=False)
    columns = list(rows[0]) if rows else []
    for column in columns:
        number = all(isinstance(row[column], (int, float)) for row in rows)
        table.add_column(column, justify="right" if number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    console.print(table, markup=False)


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else str(value)


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.3f}"
    return str(value)


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as plain dictionaries, NaN as None."""
    return [
        {k: None if isinstance(v, float) and v != v else v for k, v in row.items()} for row in table.to_dict("records")
    ]


@app.callback(invoke_without_command=True)
def _version(version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if version:
        print(__version__)
        raise typer.Exit


@app.command()
def score(
    subject: SubjectName = "minilm",
    norms: Annotated[str, typer.Option(help="A norm set, or the path of a CSV/TSV of one's own.")] = "everyday",
    embedding: Annotated[str, typer.Option(help="wordpiece, or layer:L.")] = "wordpiece",
    mapping: Annotated[str, typer.Option(help="How norms are predicted from embeddings: plsr.")] = "plsr",
    control: Annotated[list[str] | None, typer.Option(help="A control; repeat for more (interp controls).")] = None,
    latent: Annotated[str, typer.Option(help="Latent size: argmin, elbow, one-se, or a number.")] = "argmin",
    metric: Annotated[list[str] | None, typer.Option(help="A metric; repeat for more (interp metrics); all.")] = None,
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 10,
    seeds: Annotated[int, typer.Option(help="How many times the folds are dealt anew.")] = 1,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    as_json: Json = False,
) -> None:
    """Score how well embeddings predict norms, and what is left under a control."""
    from interp.studies import property_scores

    if seeds < 1:
        raise InputError(f"--seeds {seeds}: at least one")
    scores = property_scores(
        subject,
        norms,
        control or ["original"],
        embedding=embedding,
        mapping=mapping,
        folds=folds,
        seeds=range(seeds),
        selections=[latent],
        metrics=metric or None,
        dtype=dtype,
        device=device,
    )
    for name, why in scores.skipped.items():
        print(f"note: {name} does not apply: {why}", file=sys.stderr)
    summary = scores.summary().drop(columns="selection")
    if as_json:
        _print(_records(summary), True)
        return
    wide = summary.pivot_table(index=["control", "metric"], columns="scoring", values="estimate", sort=False)
    wide = wide.reset_index()
    _print(wide.to_dict("records"), False, f"{subject} ({embedding}) -> {norms}, {mapping}, latent size {latent}")


@app.command("null")
def permutation_null(
    subject: SubjectName = "minilm",
    norms: Annotated[str, typer.Option(help="A norm set, or the path of a CSV/TSV of one's own.")] = "everyday",
    permutations: Annotated[int, typer.Option(help="Random permutations.")] = 999,
    metric: Annotated[list[str] | None, typer.Option(help="A metric; repeat for more (interp metrics).")] = None,
    control: Annotated[str, typer.Option(help="What permutes rows: shuffle-rows, taxonomy-within.")] = "shuffle-rows",
    embedding: Annotated[str, typer.Option(help="wordpiece, or layer:L.")] = "wordpiece",
    folds: Annotated[int, typer.Option(help="Number of folds.")] = 10,
    seed: Annotated[int, typer.Option(help="Deals the folds and draws the permutations.")] = 0,
    largest: Annotated[int, typer.Option(help="Largest latent size.")] = 50,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    as_json: Json = False,
) -> None:
    """Permutation p-values: how often concepts with each other's features score as well as the real ones."""
    from interp.inference.permutation import DEFAULT_METRICS
    from interp.studies import permutation_null as run

    null = run(
        subject,
        norms,
        permutations=permutations,
        control=control,
        metrics=metric or DEFAULT_METRICS,
        embedding=embedding,
        folds=folds,
        seed=seed,
        largest=largest,
        dtype=dtype,
        device=device,
    )
    title = f"{subject} ({embedding}) -> {norms}, {permutations} permutations by {control}, {folds} folds"
    _print(_records(null.table()) if as_json else null.table().to_dict("records"), as_json, title)


@app.command()
def trace(
    text: Annotated[str, typer.Option(help="The text to trace.")],
    subject: SubjectName = "minilm",
    method: Annotated[str, typer.Option(help="A contribution method (interp methods).")] = "norm",
    cumulated: Annotated[bool, typer.Option(help="Accumulate from the input instead of block by block.")] = False,
    probes: Annotated[int, typer.Option(help="Random directions a token for gradient; 0 computes it exactly.")] = 8,
    out: Annotated[Path | None, typer.Option(help="Write the figure here (.svg).")] = None,
    html: Annotated[Path | None, typer.Option(help="Write an interactive page here (.html).")] = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    as_json: Json = False,
) -> None:
    """How much of each position is its own token's, after each block."""
    from interp import residual, subjects

    chosen = residual.METHODS[method]
    if probes < 0:
        raise InputError(f"--probes {probes}: a positive number, or 0 for exact gradients")
    _check_target(out, ".svg")
    _check_target(html, ".html")
    loaded = subjects.load(subject, device=device, dtype=dtype)
    traced = residual.trace_text(loaded, text, method, probes=probes or None)
    layers = traced.layers(cumulated=cumulated)
    own = traced.own_share(cumulated=cumulated)
    what = "accumulated from the input" if cumulated else "within each block"
    rows = []
    for i, token in enumerate(traced.tokens):
        row: dict[str, Any] = {"token": token}
        row |= {f"block {layer + 1}": float(own[layer, i]) for layer in range(len(own))}
        top = layers.share[-1, 0, i].argmax()
        row["largest source"] = f"{traced.tokens[int(top)]} ({float(layers.share[-1, 0, i, top]):.2f})"
        if as_json:
            row["special"] = bool(traced.special[i])
            row["mixing_ratio"] = None if layers.ratio is None else [float(x) for x in layers.ratio[:, 0, i]]
            row["sources"] = layers.share[:, 0, i].tolist()
        rows.append(row)
    _print(rows, as_json, f"{subject}: own share by {method}, {what} ({len(rows)} tokens)")
    if not as_json:
        _footnotes(chosen, layers)
    if out is not None:
        _draw_trace(out, own.cpu().numpy(), traced.tokens, f"Own share by {method}, {what}, of: {text}")
    if html is not None:
        from interp.report.tracing_page import tracing_page

        _write(html, tracing_page(subject, chosen, traced))


def _footnotes(method: Any, layers: Any) -> None:
    if method.caveat:
        print(f"note: by {method.name} the own share carries no verdict: {method.caveat}", file=sys.stderr)
    if layers.error is not None:
        mean = float(layers.error.nanmean())
        told = (
            f"{100 * mean:.0f} % relative standard error of a contribution, on average" if mean == mean else "unknown"
        )
        print(f"note: estimated from random directions; stated error: {told}", file=sys.stderr)


def _check_target(path: Path | None, ending: str) -> None:
    """Refuse a file that could not be written, before anything is computed."""
    if path is None:
        return
    if path.suffix != ending:
        raise InputError(f"{path}: the file should end in {ending}")
    if not os.path.isdir(path.parent):  # and not path.parent.is_dir(), which raises for what cannot be a name
        raise InputError(f"{path}: there is no folder {path.parent}")
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; name a file that ends in {ending}")
    if not os.access(path if os.path.exists(path) else path.parent, os.W_OK):
        raise InputError(f"{path} may not be written: choose another place, or change its permissions")


def _write(path: Path, content: str) -> None:
    from interp.files import refusal, write_text

    try:
        write_text(path, content)
    except (OSError, ValueError) as error:
        why = refusal(error, path) if isinstance(error, OSError) else None
        raise InputError(why or f"cannot write {path}: {getattr(error, 'strerror', None) or error}") from None
    print(f"wrote {path}", file=sys.stderr)


def _draw_trace(path: Path, own: Any, tokens: Sequence[str], title: str) -> None:
    from interp.report import figures, style, svg

    style.apply()
    # A file of its own has no page to take colours from, so it keeps those of the figure.
    _write(path, svg.standalone(figures.token_map(own, tokens), title))


@app.command()
def attend(
    text: Annotated[str, typer.Option(help="The text to look at.")],
    subject: SubjectName = "minilm",
    perturb: Annotated[str, typer.Option(help="A perturbation (interp perturbations).")] = "intact",
    swap: Annotated[str | None, typer.Option(help="Two words that exchange places: chef,waiter.")] = None,
    layer: Annotated[int | None, typer.Option(help="One layer, from 1: its heads one by one.")] = None,
    head: Annotated[int | None, typer.Option(help="One head of --layer, from 1: its map.")] = None,
    seed: Annotated[int, typer.Option(help="Of what the perturbation draws.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Write the figure of the maps here (SVG).")] = None,
    view: Annotated[Path | None, typer.Option("--html", help="Write the BertViz view here (one file).")] = None,
    device: Device = "cpu",
    dtype: Dtype = "float32",
    as_json: Json = False,
) -> None:
    """Attention maps of a text: how structured they are, and what a perturbation leaves of them."""
    from interp import attention, subjects
    from interp.attention import reading

    if swap is not None:
        if perturb not in ("intact", "swap"):
            raise InputError(f"--swap and --perturb {perturb}: one of the two")
        perturb = "swap"
    pair = None if swap is None else reading.two_words(swap)
    attention.PERTURBATIONS[perturb]
    _check_target(out, ".svg")
    _check_target(view, ".html")
    model = subjects.load(subject, device=device, dtype=dtype)
    found = reading.read(model, text, perturb, seed=seed, pair=pair)
    rows = found.rows(layer, head)
    if out is not None or view is not None:
        from interp.report import attending

        if out is not None:
            _write(out, attending.figure(found, layer, head))
        if view is not None:
            _write(view, attending.view(found, layer))
    what = "" if perturb == "intact" else f", {perturb}"
    where = (
        "" if layer is None else f", layer {layer}" + ("" if head is None else f", head {head} (rows look at columns)")
    )
    _print(rows, as_json, f"{subject}{what}{where} ({len(found.tokens)} tokens)")


@app.command()
def perturbations(as_json: Json = False) -> None:
    """What can be done to a text before its attention maps are looked at."""
    from interp.attention import PERTURBATIONS

    _print([{"perturbation": n, "keeps": p.keeps, "destroys": p.destroys} for n, p in PERTURBATIONS.items()], as_json)


@app.command()
def norms(as_json: Json = False) -> None:
    """The norm sets, and whether their files are here."""
    from interp import datasets
    from interp.norms import NORMS, load
    from interp.targets import UNCATEGORISED

    rows = []
    for name in NORMS:
        here = name not in datasets.DATASETS or datasets.available(name)
        row: dict[str, Any] = {"name": name, "here": "yes" if here else f"no: interp fetch {name}"}
        if here:
            loaded = load(name)
            row |= {
                "concepts": len(loaded.concepts),
                "features": len(loaded.features),
                "density %": round(100 * loaded.density, 2),
                "categories": len(set(loaded.taxonomy) - {UNCATEGORISED}),
                "licence": loaded.licence,
            }
        else:
            row |= {"concepts": "", "features": "", "density %": "", "categories": ""}
            row["licence"] = datasets.DATASETS[name].licence
        rows.append(row)
    _print(rows, as_json)


@app.command("subjects")
def list_subjects(as_json: Json = False) -> None:
    """The subjects with a short name."""
    from interp.subjects.catalogue import SUBJECTS

    _print(
        [
            {"name": n, "repository": s.repository, "revision": s.revision[:10], "what": s.note}
            for n, s in SUBJECTS.items()
        ],
        as_json,
    )


@app.command()
def controls(as_json: Json = False) -> None:
    """The controls: what each keeps and what it destroys."""
    from interp.controls import CONTROLS

    _print([{"control": n, "keeps": c.keeps, "destroys": c.destroys} for n, c in CONTROLS.items()], as_json)


@app.command()
def metrics(as_json: Json = False) -> None:
    """The metrics of property inference."""
    from interp.inference.metrics import METRICS

    _print([{"metric": n, "meaning": m.meaning} for n, m in METRICS.items()], as_json)


@app.command()
def methods(as_json: Json = False) -> None:
    """The contribution methods of the residual stream."""
    from interp.residual import METHODS

    _print([{"method": n, "definition": m.definition, "source": m.source} for n, m in METHODS.items()], as_json)


@app.command()
def claims(
    claim: Annotated[str | None, typer.Argument(help="One claim, for example P2.")] = None,
    as_json: Json = False,
) -> None:
    """The paper's claims, the readings they are judged by, and what came out (this checkout's book and reference)."""
    from interp.claims import JUDGED_ON, ledger, readings
    from interp.profile import project_root
    from interp.resampling import with_interval

    wanted = {r.id: r for r in readings(claim)}
    outcomes = ledger.ledger(project_root() / "book" / "chapters")
    found = _records(outcomes[outcomes["reading"].isin(wanted)])
    if as_json:
        told = [
            {
                **row,
                **wanted[row["reading"]].model_dump(include={"statement", "rule", "chapter", "study", "statistic"}),
                "judged on": JUDGED_ON[wanted[row["reading"]].study].model_dump(),
            }
            for row in found
        ]
    else:
        told = [
            {
                "reading": row["reading"],
                "on": ", ".join(row[k] for k in ("subject", "data", "mapping", "source") if row[k]),
                "outcome": row["outcome"],
                "statistic": ""
                if row["statistic"] is None
                else with_interval(row["statistic"], row["low"], row["high"]),
                "statement": wanted[row["reading"]].statement,
            }
            for row in found
        ]
    _print(told, as_json)


@app.command("corpora")
def list_corpora(as_json: Json = False) -> None:
    """The corpora of sentences, and whether their files are here."""
    from interp import corpora, datasets

    rows = []
    for name, entry in corpora.CORPORA.items():
        here = name not in datasets.DATASETS or datasets.available(name)
        rows.append(
            {
                "name": name,
                "here": "yes" if here else f"no: interp fetch {name}",
                "texts": len(entry.read().texts) if here else "",
                "holds": entry.holds,
                "what": entry.description,
                "licence": entry.licence,
            }
        )
    _print(rows, as_json)


@app.command()
def fetch(
    name: Annotated[str | None, typer.Argument(help="A data set (interp fetch --list).")] = None,
    force: Annotated[bool, typer.Option(help="Download again.")] = False,
    list_them: Annotated[bool, typer.Option("--list", help="List the data sets.")] = False,
    as_json: Json = False,
) -> None:
    """Download a data set into the cache, checked, and say on which terms it may be used."""
    from interp import datasets

    if list_them or name is None:
        _print(
            [
                {
                    "name": n,
                    "here": "yes" if datasets.available(n) else "no",
                    "what": d.title,
                    "licence": d.licence,
                }
                for n, d in datasets.DATASETS.items()
            ],
            as_json,
        )
        return
    dataset = datasets.DATASETS[name]
    paths = datasets.fetch(name, force=force)
    if as_json:
        _print([{"file": str(p), "licence": dataset.licence, "citation": dataset.citation} for p in paths], True)
        return
    for path in paths:
        print(path)
    print(f"licence: {dataset.licence}\ncite: {dataset.citation}")


@app.command()
def chapter(
    name: Annotated[str, typer.Argument(help="A chapter: a file of notebooks/ without its ending.")],
    profile: Annotated[str, typer.Option(help="A profile of config/.")] = "embedded",
    parameter: Annotated[list[str] | None, typer.Option("--set", help="name=value; repeat for more.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where the executed notebook goes.")] = None,
) -> None:
    """Execute one chapter with a profile's parameters."""
    from interp import profile as profiles
    from interp.report import chapters

    chosen = profiles.load(profile)
    chapters.check(chosen)
    chapters.source(name)
    given = chapters.given(parameter or [])
    values = chosen.of(name, chapters.parameters(name), given)
    _check_given(given, chapters, name)
    _check_target(out, ".ipynb")
    target = out or profiles.project_root() / "book" / "chapters" / f"{name}.ipynb"
    print(f"{name}: started", flush=True)
    seconds = chapters.execute(name, values, target)
    print(f"{name}: executed in {seconds:.1f} s", flush=True)


@app.command()
def parameters(
    name: Annotated[str, typer.Argument(metavar="CHAPTER", help="A chapter: a file of notebooks/.")],
    as_json: Json = False,
) -> None:
    """What a chapter can be run with: names, defaults, meanings."""
    from interp.report import chapters
    from interp.report.parameters import rows

    _print(rows(chapters.parameters(name)), as_json)


@app.command()
def fork(
    name: Annotated[str | None, typer.Argument(metavar="CHAPTER", help="The chapter to fork.")] = None,
    subject: Annotated[str | None, typer.Option(help="A short name, org/name@COMMIT, or a folder.")] = None,
    norms: Annotated[str | None, typer.Option(help="A norm set, or the path of a CSV/TSV of one's own.")] = None,
    parameter: Annotated[list[str] | None, typer.Option("--set", help="name=value; repeat for more.")] = None,
    title: Annotated[str, typer.Option(help="Its heading; the name of its file is made of it.")] = "",
    check: Annotated[bool, typer.Option(help="Execute it on the profile smoke first.")] = True,
    remove: Annotated[str | None, typer.Option(metavar="NAME", help="Take a fork back.")] = None,
) -> None:
    """Make a chapter of one's own from one of the book's, for another subject, norms or parameters."""
    from interp.report import chapters, forks

    if (name is None) == (remove is None):
        raise InputError("interp fork CHAPTER --subject ... makes a fork, interp fork --remove NAME takes it back")
    if remove is not None:
        forks.remove(remove)
        print(f"{remove}: removed, with its entries in _toc.yml and config/")
        return
    made = forks.make(
        str(name), subject=subject, norms=norms, given=chapters.given(parameter or []), title=title, check=check
    )
    print(
        f"{made.name}: wrote notebooks/{made.name}.md, entered in _toc.yml and every profile of config/"
        + (", executed on smoke" if check else ", not executed yet")
        + f"\nnext: make chapter CHAPTER={made.name}   executes it in full"
        "\n      make book   puts it into the book, under Forks"
        f"\n      edit notebooks/{made.name}.md, then make format; what it says was written for {made.chapter}"
        f"\nundo: interp fork --remove {made.name}"
    )


@app.command("train-positions")
def train_positions(
    scheme: Annotated[str, typer.Option(help="rotary, alibi, absolute, none, or all; commas between several.")] = "all",
    size: Annotated[str, typer.Option(help="small (minutes a scheme on a CPU), large (for a GPU), tiny.")] = "small",
    seed: Annotated[int, typer.Option(help="Of the initial weights and the order of the text.")] = 0,
    out: Annotated[Path, typer.Option(help="One folder a scheme is written in here.")] = Path("positions"),
    steps: Annotated[int | None, typer.Option(help="Another number of steps than the size's.")] = None,
    device: Device = "cpu",
    as_json: Json = False,
) -> None:
    """Train a small decoder under each position scheme on public-domain prose; goes on where it was interrupted."""
    from interp import pretraining
    from interp.subjects.positions import SCHEMES

    schemes = list(SCHEMES) if scheme == "all" else scheme.split(",")
    records = pretraining.run(schemes, size, seed=seed, out=out, device=device, steps=steps)
    rows = [
        {
            "scheme": name,
            "steps": record["step"],
            "tokens": record["tokens"],
            "held-out loss": sum(record["held out windows"]) / len(record["held out windows"]),
            "seconds": round(record["seconds"]),
            "folder": str(out / name),
        }
        for name, record in records.items()
    ]
    _print(rows, as_json, f"{size}, seed {seed}: any folder serves as a subject (--subject FOLDER)")


@app.command()
def pack(
    out: Annotated[Path, typer.Argument(help="The archive to write (.zip).")] = Path("interp-results.zip"),
    as_json: Json = False,
) -> None:
    """Put the stored results into one archive, so that another machine can rebuild the book from them."""
    from interp import archive

    _check_target(out, ".zip")
    packed = archive.pack(out)
    for name, why in packed.left_out.items():
        print(f"note: {name} is left out, it is damaged: {why}", file=sys.stderr)
    _print(archive.summary(packed), as_json)
    print(f"wrote {out}; on the other machine: interp unpack {out.name}", file=sys.stderr)


@app.command()
def unpack(
    path: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="An archive that interp pack wrote.")],
    limit: Annotated[float, typer.Option(help="GiB it may unpack to.")] = 4.0,
    as_json: Json = False,
) -> None:
    """Put the results of an archive into the store, every byte checked; what is there already stays."""
    from interp import archive, store

    if not 0 < limit < float("inf"):
        raise InputError(f"--limit {limit:g}: a number of GiB above 0")
    found = archive.unpack(path, limit=int(limit * 2**30))
    _print(archive.summary(found), as_json)
    print(f"the results are in {store.root()}; make book replays them", file=sys.stderr)


def _check_given(given: Iterable[str], chapters: Any, name: str) -> None:
    """Parameters on the command line must be known to some chapter (one run of the book hands them to all)."""
    everywhere = {key for chapter in chapters.names() for key in chapters.parameters(chapter)}
    for key in given:
        if key not in everywhere:
            chapters.check_parameter(f"chapter {name}", dict.fromkeys(sorted(everywhere)), key, None)


if __name__ == "__main__":
    main()
