"""Bad inputs at every entry of the command line, and a part of the line that each is refused with.

`tests/test_bad_inputs.py` runs them in a small checkout, where {gpt2} is a small model of that family. What
`interp fork` and `interp unpack` refuse needs more around it: `tests/test_forks.py` and `tests/test_archive.py` have
tables of their own, and `tests/test_bad_input.py` has what the mapping itself refuses.
"""

from __future__ import annotations

import gzip
import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

LONG = "a" * 5000
HEADER = "concept,feature,value\n"
ANIMALS, FRUIT = ["dog", "cat", "horse", "cow", "pig", "sheep"], ["apple", "pear", "plum", "cherry", "grape", "lemon"]
WORDS = [*ANIMALS, *FRUIT, "car", "bus", "train", "boat", "truck", "van", "tram", "ship"]
GOOD = [f"{w},{'an_animal' if i < 6 else 'a_fruit' if i < 12 else 'a_vehicle'},9" for i, w in enumerate(WORDS)]
GOOD += [f"{w},own_{w},5" for w in WORDS]
"""Rows of norms that nothing is wrong with."""


@dataclass(frozen=True)
class Case:
    """What is typed, and what must be said."""

    arguments: tuple[str, ...]
    message: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Files beside it, by name."""
    model: Callable[[Path], None] | None = None
    """What is done to a good model folder ``model``."""


def case(
    typed: str | list[str], message: str, model: Callable[[Path], None] | None = None, **files: str | bytes
) -> Case:
    """A case from a line as one types it; ``mine_csv=`` is the content of the file ``mine.csv``."""
    arguments = shlex.split(typed) if isinstance(typed, str) else typed
    contents = {
        ".".join(name.rsplit("_", 1)): content if isinstance(content, bytes) else content.encode()
        for name, content in files.items()
    }
    return Case(tuple(arguments), message, contents, model)


def norms(content: str | bytes, message: str, options: str = "", name: str = "mine_csv") -> Case:
    """A table of norms that is refused."""
    file = ".".join(name.rsplit("_", 1))
    return case(f"score --metric f1@10 --norms {file} {options}", message, **{name: content})


def rows(*more: str) -> str:
    """A good table with more rows."""
    return HEADER + "\n".join([*GOOD, *more]) + "\n"


def folder(change: Callable[[Path], None], message: str) -> Case:
    """A model folder that is refused."""
    return case("trace --subject model --text 'the dog'", message, change)


def profile(content: str | bytes, message: str) -> Case:
    """A profile that is refused."""
    return case("chapter residual-mixing --profile mine.yml", message, mine_yml=content)


def given(pair: str, message: str, chapter: str = "residual-mixing") -> Case:
    """A parameter that is refused."""
    return case(["chapter", chapter, "--set", pair], message)


def config(**values: object) -> Callable[[Path], None]:
    """Other entries of a model's configuration."""

    def change(model: Path) -> None:
        path = model / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    return change


def put(name: str, content: bytes) -> Callable[[Path], None]:
    """Another content of a model's file."""
    return lambda model: (model / name).write_bytes(content) and None


def without(name: str) -> Callable[[Path], None]:
    """A model without a file."""
    return lambda model: (model / name).unlink()


def pickled(model: Path) -> None:
    """Weights as a pickle alone, which would say so if it were ever loaded."""
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"cos\nsystem\n(S'touch executed'\ntR.")


def code(model: Path) -> None:
    """A family of its own, whose code writes a file when it is imported."""
    line = "from pathlib import Path\nPath('executed').write_text('')\n"
    for name in ("configuration_own", "modeling_own", "tokenization_own"):
        (model / f"{name}.py").write_text(line)
    auto = {"AutoConfig": "configuration_own.OwnConfig", "AutoModel": "modeling_own.OwnModel"}
    config(model_type="own", auto_map=auto)(model)
    put("tokenizer_config.json", json.dumps({"auto_map": {"AutoTokenizer": ["tokenization_own.Own", None]}}).encode())(
        model
    )


BROKEN_GZIP = gzip.compress(b"x" * 1000)[:20]
GOOD_PROFILE = "description: x\nchapters:\n  residual-mixing: {texts: 3}\n"
DOG = "--text 'the dog barks'"

CASES: dict[str, Case] = {
    # The command line itself.
    "unknown command": case("scroe", "No such command 'scroe'"),
    "unknown option": case("score --mappin plsr", "No such option"),
    "missing option": case("trace", "Missing option '--text'"),
    "missing argument": case("unpack", "Missing argument 'ARCHIVE'"),
    "one argument too many": case("fetch mcrae binder", "unexpected extra argument"),
    # Subjects.
    "unknown subject": case("score --subject minilmm", "unknown subject 'minilmm'; did you mean 'minilm'"),
    "empty subject": case("score --subject ''", "a subject needs a name"),
    "blank subject": case("trace --subject ' ' --text hi", "a subject needs a name"),
    "subject in two lines": case(
        ["score", "--subject", "mini\nlm"], "unknown subject 'mini\\nlm'; did you mean 'minilm'"
    ),
    "subject with NUL": case(["score", "--subject", "a\0b"], "unknown subject 'a\\x00b'"),
    "endless subject": case(["score", "--subject", LONG], "aaaaaa...'"),
    "Unicode subject": case("score --subject größe", "unknown subject 'größe'"),
    "unknown twin": case("score --subject minilm:randm", "unknown twin 'randm'; did you mean 'random'"),
    "twin's seed": case("score --subject minilm:random:x", "the seed 'x' is not a whole number"),
    "twin's seed in other digits": case("score --subject minilm:random:٣", "the seed '٣' is not a whole number"),
    "endless seed": case(
        f"score --subject minilm:random:{10**22}", "is not a whole number from 0 to 9223372036854775807"
    ),
    "no revision": case("score --subject org/name", "has no revision: write org/name@COMMIT"),
    "empty revision": case("score --subject org/name@", "has no revision: write org/name@COMMIT"),
    "missing hub": case("score --subject gpt2", "cannot get openai-community/gpt2@607a30d7 from the model hub"),
    "missing hub for an id": case(
        "trace --subject org/name@main --text hi", "cannot get org/name@main from the model hub"
    ),
    "no such folder of a subject": case("score --subject ./nowhere", "or a folder"),
    "a folder above": case("score --subject ..", ".. is no model folder: it has no config.json"),
    "a file as a subject": case("score --subject mine.txt", "unknown subject 'mine.txt'", mine_txt="x"),
    "compression with a number": case("score --subject minilm:int8-3", "compression 'int8' takes no number"),
    "compression without": case("score --subject minilm:blocks-x", "write blocks-NUMBER, how many blocks are kept"),
    "no blocks": case("score --subject minilm:blocks-0", "a whole number from 1 to 6"),
    "too many blocks": case("score --subject minilm:blocks-99", "a whole number from 1 to 6"),
    "half a block": case("score --subject minilm:blocks-1.5", "a whole number from 1 to 6"),
    "nan blocks": case("score --subject minilm:blocks-nan", "a whole number from 1 to 6"),
    "infinite heads": case("score --subject minilm:heads-inf", "the share of heads to silence, from 0 to below 1"),
    "unknown device": case("trace --text hi --device tpu9", "unknown device 'tpu9'"),
    "device of another kind": case("trace --text hi --device meta", "unknown device 'meta'; known: cpu, cuda, mps"),
    "device torch was not built for": case("trace --text hi --device xla", "unknown device 'xla'"),
    "empty device": case("trace --text hi --device ''", "unknown device ''"),
    "Apple's device": case("trace --text hi --device mps", "torch sees no Apple GPU here; use cpu"),
    "unknown dtype": case("trace --text hi --dtype float", "unknown dtype 'float'"),
    "whole numbers as dtype": case("score --dtype int8", "unknown dtype 'int8'"),
    # Folders of models.
    "model without configuration": folder(without("config.json"), "model is no model folder: it has no config.json"),
    "model without weights": folder(without("model.safetensors"), "model has no safetensors weights (none)"),
    "pickled weights": folder(pickled, "only pytorch_model.bin); pickled weights are never loaded: convert them"),
    "truncated weights": folder(
        put("model.safetensors", b"\x10\0\0\0\0\0\0\0{"), "cannot load subject 'model' from model"
    ),
    "empty weights": folder(put("model.safetensors", b""), "cannot load subject 'model' from model"),
    "broken configuration": folder(put("config.json", b"{"), "cannot load subject 'model' from model"),
    "configuration of another kind": folder(put("config.json", b"[]"), "cannot load subject 'model' from model"),
    "configuration in another encoding": folder(put("config.json", b'{"a": "\xff"}'), "cannot load subject 'model'"),
    "configuration that lies": folder(config(n_embd=64), "cannot load subject 'model' from model"),
    "unsupported family": folder(config(model_type="t5"), "t5"),
    "model without tokenizer": folder(without("tokenizer.json"), "cannot load subject 'model' from model"),
    "broken tokenizer": folder(put("tokenizer.json", b"{}"), "cannot load subject 'model' from model"),
    "code that comes with a model": folder(code, "cannot load subject 'model' from model"),
    # Norms by name and by path.
    "unknown norms": case("score --norms mcray", "unknown norm set 'mcray'; did you mean 'mcrae'"),
    "empty norms": case("score --norms ''", "a file of norms ends in .csv or .tsv"),
    "norms not here": case("score --norms mcrae", "run `interp fetch mcrae` or set INTERP_DATA"),
    "no such file of norms": case("score --norms nowhere.csv", "no file of norms at nowhere.csv"),
    "a folder of norms": case("null --norms .", "a file of norms ends in .csv or .tsv"),
    "norms as a workbook": case("score --norms mine.xlsx", "a file of norms ends in .csv or .tsv", mine_xlsx=b"PK\3\4"),
    "endless norms": case(["score", "--norms", LONG], "aaaaaa...'"),
    "endless file of norms": case(["score", "--norms", f"{LONG}.csv"], "no file of norms at aaa"),
    "file of norms with NUL": case(["score", "--norms", "a\0b.csv"], "no file of norms at a\\x00b.csv"),
    # One's own norms.
    "empty table": norms("", "is no table of norms: No columns"),
    "blank lines": norms("\n\n", "is no table of norms: No columns"),
    "header alone": norms(HEADER, "has a header line and no rows"),
    "missing column": norms("concept,feature\na,b\n", "lacks the column value"),
    "other names of columns": norms(
        "word,feature,value\na,b,1\n", "lacks the column concept; a table of norms has concept"
    ),
    "twice a column": norms("concept,feature,value,value\na,b,1,2\n", "has the column value twice"),
    "semicolons": norms(
        "concept;feature;value\na;b;1\n", "separated by commas in a .csv and by tabs in a .tsv; this one has"
    ),
    "commas in a .tsv": norms("concept,feature,value\na,b,1\n", "by tabs in a .tsv", name="mine_tsv"),
    "rows longer than the header": norms(f"{HEADER}a,b,1,2\n", "Expected 3 fields in line 2, saw 4"),
    "one row too long": norms(rows("hen,sings,3,4,5"), "Expected 3 fields in line 42, saw 5"),
    "row too short": norms(f"{HEADER}a,b\n", "line 2: value '' is not a finite number"),
    "open quotation": norms(f'{HEADER}"a,b,1\n', "is no table of norms"),
    "empty concept": norms(f"{HEADER} ,b,1\n", "line 2: the concept or the feature is empty"),
    "NUL in a concept": norms(f"{HEADER}a\0,b,1\n", "line 2: control characters in 'a\\x00,b,1'"),
    "line break in a concept": norms(f'{HEADER}"a\nb",c,1\n', "control characters in 'a\\nb'"),
    "UTF-16": norms(HEADER.encode("utf-16"), "save it as UTF-8"),
    "Latin-1": norms(f"{HEADER}café,b,1\n".encode("latin-1"), "save it as UTF-8"),
    "compressed": norms(BROKEN_GZIP, "save it as UTF-8"),
    "twice a pair": norms(f"{HEADER}a,b,1\na,b,2\n", "line 3: the pair (a, b) occurs twice"),
    "twice a pair but for blanks": norms(f"{HEADER}a,b,1\na , b,2\n", "line 3: the pair (a, b) occurs twice"),
    "two categories": norms("concept,feature,value,category\na,b,1,x\na,c,1,y\n", "more than one category: 'x', 'y'"),
    "two kinds": norms("concept,feature,value,kind\na,b,1,x\nc,b,1,y\n", "feature 'b' has more than one kind"),
    "a word as value": norms(f"{HEADER}a,b,x\n", "line 2: value 'x' is not a finite number"),
    "nan": norms(rows("hen,sings,nan"), "line 42: value 'nan' is not a finite number"),
    "infinite": norms(rows("hen,sings,-inf"), "line 42: value '-inf' is not a finite number"),
    "nothing as value": norms(rows("hen,sings,"), "line 42: value '' is not a finite number"),
    "comma for a point": norms(rows('hen,sings,"3,5"'), "value '3,5' is not a finite number"),
    "line counts blank lines": norms(rows("", "hen,sings,x"), "line 43: value 'x'"),
    "endless number": norms(rows(f"hen,sings,{'9' * 400}"), "line 42: value '999"),
    "huge value": norms(rows("hen,sings,1e300"), "1e+300 is too large to compute with"),
    "all zero": norms(HEADER + "\n".join(f"{w},f,0" for w in WORDS), "no value is above 0"),
    "too few words": norms(HEADER + "\n".join(GOOD[:5]), "10 folds need at least 10 different lemmas, and there are 5"),
    "more folds than words": norms(rows(), "21 folds need at least 21 different lemmas", "--folds 21"),
    "unknown word": norms(rows("\N{T-REX},roars,9"), "does not know; leave the concept out"),
    "concept without a word": norms(rows("_(animal),roars,9"), "lemma '' has no tokens"),
    "latent size above the data": norms(
        rows(), "60 is not possible here: the data allow 0 to 10", "--folds 4 --latent 60"
    ),
    # Scores.
    "unknown control": case(
        "score --control shufle-rows", "unknown control 'shufle-rows'; did you mean 'shuffle-rows'"
    ),
    "second control unknown": case("score --control original --control x", "unknown control 'x'; known: original"),
    "unknown metric": case("score --metric f1at10", "unknown metric 'f1at10'"),
    "empty metric": case("score --metric ''", "unknown metric ''; known: p@10"),
    "unknown mapping": case("score --mapping pslr", "unknown mapping 'pslr'; did you mean 'plsr'"),
    "no such layer to embed": case("score --embedding layer:99", "has layers 0..6"),
    "negative layer to embed": case("score --embedding layer:-1", "unknown embedding 'layer:-1'"),
    "layer in other digits": case("score --embedding layer:²", "unknown embedding 'layer:²'"),
    "unknown rule": case("score --latent elbo", "unknown latent-size rule 'elbo'; did you mean 'elbow'"),
    "latent size too large": case("score --latent 5000", "latent size 5000 is not possible"),
    "negative latent size": case("score --latent -3", "latent size -3 is not possible"),
    "twice negative latent size": case("score --latent=--3", "unknown latent-size rule '--3'"),
    "latent size in other digits": case("score --latent ²", "unknown latent-size rule '²'"),
    "latent size nan": case("score --latent nan", "unknown latent-size rule 'nan'"),
    "folds in words": case("score --folds ten", "Invalid value for '--folds'"),
    "half a fold": case("score --folds 2.5", "Invalid value for '--folds'"),
    "too few folds": case("score --folds 2", "2 folds are too few"),
    "negative folds": case("score --folds -1", "-1 folds are too few"),
    "endless folds": case("score --folds 1000000000", "1000000000 folds need at least 1000000000 different lemmas"),
    "no seeds": case("score --seeds 0", "at least one"),
    "no permutations": case("null --permutations 0", "0 permutations make no null"),
    "negative seed": case("null --permutations 1 --seed -1", "seed -1: a whole number from 0 on"),
    "no permutation": case("null --permutations 1 --control noise", "noise is no permutation of rows"),
    "largest below one": case("null --permutations 1 --largest 0", "latent size 0 is not possible: 1 is the least"),
    "unknown metric of a null": case("null --permutations 1 --metric x", "unknown metric 'x'"),
    # Texts.
    "empty text": case("trace --text ''", "has no tokens"),
    "text of nothing to see": case(["trace", "--text", "\u200b"], "text '\\u200b' has no tokens"),
    "text in another encoding": case(["trace", "--text", "caf\udce9"], "is not in UTF-8"),
    "long text": case(["trace", "--text", "word " * 600], "takes 512 at most"),
    "unknown method": case("trace --text hi --method nrom", "unknown contribution method 'nrom'; did you mean 'norm'"),
    "method an architecture lacks": case(
        "trace --subject {gpt2} --text 'a dog' --method globenc", "has no definition for"
    ),
    "negative probes": case("trace --text hi --method gradient --probes -1", "0 for exact gradients"),
    "figure of another kind": case("trace --text hi --out x.png", "x.png: the file should end in .svg"),
    "page of another kind": case("trace --text hi --html x.svg", "x.svg: the file should end in .html"),
    "no such folder": case("trace --text hi --html nowhere/x.html", "there is no folder nowhere"),
    "file that is a folder": case("trace --text hi --out config.svg/x/.svg", "should end in .svg"),
    "terminal codes in a name": case(
        ["trace", "--text", "hi", "--out", "\x1b[31m.png"], "error: \\x1b[31m.png: the file"
    ),
    "attend to empty text": case("attend --text ''", "has no tokens"),
    "attend to too short a text": case("attend --text hi", "too short for a map"),
    "attend to long text": case(["attend", "--text", "word " * 600], "takes 512 at most"),
    "attend to another encoding": case(["attend", "--text", "the caf\udce9 barks"], "is not in UTF-8"),
    "unknown perturbation": case(f"attend {DOG} --perturb shufle-words", "did you mean 'shuffle-words'"),
    "perturbation's seed": case(f"attend {DOG} --perturb shuffle-words --seed -1", "seed -1: a whole number from 0 on"),
    "swap of a word not there": case(f"attend {DOG} --swap dog,cook", "the word 'cook' is not in the text"),
    "swap of one word": case(f"attend {DOG} --swap dog", "give two words with a comma between"),
    "swap of nothing": case(f"attend {DOG} --swap ''", "give two words with a comma between"),
    "swap with itself": case(f"attend {DOG} --swap dog,dog", "'dog' cannot be exchanged with itself"),
    "swap without words": case(f"attend {DOG} --perturb swap", "swap needs two words"),
    "swap and another": case(f"attend {DOG} --swap dog,barks --perturb shuffle-words", "one of the two"),
    "no such layer": case(f"attend {DOG} --layer 9", "has layers 1 to 6"),
    "layer 0": case(f"attend {DOG} --layer 0", "has layers 1 to 6"),
    "no such head": case(f"attend {DOG} --layer 1 --head 13", "has heads 1 to 12"),
    "head without layer": case(f"attend {DOG} --head 1", "a head needs its layer"),
    "maps of another kind": case(f"attend {DOG} --out x.png", "x.png: the file should end in .svg"),
    "view of another kind": case(f"attend {DOG} --html x.txt", "x.txt: the file should end in .html"),
    "maps nowhere": case(f"attend {DOG} --out nowhere/x.svg", "there is no folder nowhere"),
    # Claims, data, training.
    "unknown claim": case("claims P99", "unknown claim 'P99'; known: A1"),
    "unknown data set": case("fetch mcray", "unknown data set 'mcray'; did you mean 'mcrae'"),
    "nothing to fetch": case("fetch wordnet", "was made for this project"),
    "unknown position scheme": case("train-positions --scheme rotari", "did you mean 'rotary'"),
    "comma too many": case("train-positions --scheme rotary,", "unknown position scheme ''"),
    "unknown size": case("train-positions --size big", "unknown size 'big'"),
    "no steps": case("train-positions --steps 0", "--steps 0: at least one"),
    "training's seed": case("train-positions --seed -1", "--seed -1: 0 or more"),
    "training into a file": case("train-positions --out mine.txt", "is a file; give a folder", mine_txt="x"),
    "training on another device": case("train-positions --device tpu", "unknown device 'tpu'"),
    # Chapters, their parameters, profiles.
    "unknown chapter": case(
        "chapter residual-mixin", "unknown chapter 'residual-mixin'; did you mean 'residual-mixing'"
    ),
    "chapter by a path": case("chapter ../notebooks/residual-mixing", "unknown chapter '../notebooks/residual-mixing'"),
    "parameters of no chapter": case("parameters ''", "unknown chapter ''; known: attention-collapse"),
    "parameters of an endless chapter": case(["parameters", LONG], "aaaaaa...'"),
    "notebook of another kind": case("chapter residual-mixing --out x.txt", "x.txt: the file should end in .ipynb"),
    "notebook nowhere": case("chapter residual-mixing --out nowhere/x.ipynb", "there is no folder nowhere"),
    "unknown profile": case("chapter residual-mixing --profile norm", "unknown profile 'norm'; did you mean 'norms'"),
    "profile by half a path": case(
        "chapter residual-mixing --profile ../config/smoke", "unknown profile '../config/smoke'"
    ),
    "profile that is a folder": case("chapter residual-mixing --profile config", "unknown profile 'config'"),
    "endless profile": case(["chapter", "residual-mixing", "--profile", LONG], "aaaaaa...'"),
    "unknown parameter": given("txts=3", "unknown parameter 'txts'; did you mean 'texts'"),
    "parameter without a value": given("texts", "write name=value"),
    "parameter without a name": given("=3", "write name=value"),
    "parameter of nothing": given("texts=", "parameter texts: it needs a value"),
    "ill-typed parameter": given("texts=many", "parameter texts takes int"),
    "parameter as a truth": given("texts=true", "parameter texts takes int, as in 300, not True"),
    "parameter as a list": given("texts=[3]", "parameter texts takes int"),
    "list of other things": given("methods=[norm, 3]", "parameter methods takes list"),
    "negative parameter": given("texts=-1", "parameter texts: -1 is no number from 0 on"),
    "infinite parameter": given("strength=.inf", "strength: inf is no number from 0 on", "relation-probe"),
    "nan parameter": given("strength=.nan", "strength: nan is no number from 0 on", "relation-probe"),
    "parameter that is no YAML": given("texts=[1", "'[1' is no valid value"),
    "endless brackets": given("texts=" + "[" * 5000, "is no valid value"),
    "date that there is not": given("texts=2020-13-45", "is no valid value"),
    "parameter that runs code": given("texts=!!python/object/apply:os.system ['touch executed']", "is no valid value"),
    "parameter that contains itself": given("texts=&a [*a]", "parameter texts takes int"),
    "unknown subject of a chapter": given("subject=minilmm", "parameter subject: unknown subject 'minilmm'"),
    "unknown norms of a chapter": given("norms=[mcray]", "norms: unknown norm set 'mcray'", "controls"),
    "file of norms of a chapter": given("norms=[nowhere.csv]", "no file of norms at", "controls"),
    "unknown corpus of a chapter": given("corpus=plane", "unknown corpus 'plane'; did you mean 'plain'"),
    "unknown device of a chapter": given("device=tpu", "unknown device 'tpu'"),
    "unknown dtype of a chapter": given("dtype=float", "unknown dtype 'float'"),
    "profile of no YAML": profile("a: [1\n", "is no valid YAML"),
    "profile in another encoding": profile(b"description: \xff\n", "is no valid YAML"),
    "profile with control characters": profile("description: \x07\n", "is no valid YAML"),
    "profile that is a list": profile("- a\n- b\n", "is no profile"),
    "empty profile": profile("", "is no profile"),
    "profile without chapters": profile("description: x\n", "chapters: field required"),
    "profile with another key": profile(
        f"{GOOD_PROFILE}chapter: 1\n", "unknown key 'chapter'; did you mean 'chapters'"
    ),
    "profile with an unknown chapter": profile(
        GOOD_PROFILE.replace("mixing", "mixin"), "unknown chapter 'residual-mixin'"
    ),
    "profile with an unknown parameter": profile(GOOD_PROFILE.replace("texts", "txts"), "did you mean 'texts'"),
    "profile with a word for a number": profile(GOOD_PROFILE.replace("3", "three"), "parameter texts takes int"),
    "profile with a key of a number": profile(f"{GOOD_PROFILE}3: x\n", "error: mine.yml: "),
    "profile that runs code": profile(
        f"{GOOD_PROFILE}parameters: !!python/object/apply:os.system ['touch executed']\n", "is no valid YAML"
    ),
    "profile that makes an object": profile("!!python/object:interp.profile.Profile {}\n", "is no valid YAML"),
    # Archives.
    "archive of another ending": case("pack x.txt", "x.txt: the file should end in .zip"),
    "archive nowhere": case("pack nowhere/x.zip", "there is no folder nowhere"),
    "nothing to pack": case("pack x.zip", "no stored result to pack"),
    "no archive": case("unpack nowhere.zip", "there is no archive nowhere.zip"),
    "folder as archive": case("unpack config", "cannot read config: Is a directory"),
    "text as archive": case("unpack mine.zip", "is no archive of stored results, or it is damaged", mine_zip="x"),
    "no limit": case("unpack nowhere.zip --limit 0", "--limit 0: a number of GiB above 0"),
    "negative limit": case("unpack nowhere.zip --limit -1", "--limit -1: a number of GiB above 0"),
    "nan limit": case("unpack nowhere.zip --limit nan", "--limit nan: a number of GiB above 0"),
    "infinite limit": case("unpack nowhere.zip --limit inf", "--limit inf: a number of GiB above 0"),
    # Forks: the rest is in tests/test_forks.py.
    "fork of nothing": case("fork ''", "unknown chapter ''"),
    "fork without a difference": case("fork controls", "a fork differs in something"),
    "fork by a path": case("fork ../notebooks/controls --subject minilm", "unknown chapter '../notebooks/controls'"),
    "removal of nothing": case("fork --remove ''", "unknown fork ''"),
}  # fmt: skip
