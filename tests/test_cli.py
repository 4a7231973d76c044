"""The command line as a user meets it: a process, its exit code, one line on stderr, JSON that parses."""

import json
import os
import subprocess
import sys

import pytest

from interp import cli
from interp.claims import OUTCOMES
from scripts.browser import browser


def interp(*arguments, cwd=None, **environment):
    env = {**os.environ, "COLUMNS": "200", **environment}
    return subprocess.run(
        [sys.executable, "-m", "interp.cli", *arguments],
        capture_output=True,
        text=True,
        env=env,
        cwd=cwd,
        check=False,
    )


BAD = {
    "unknown command": (["scroe"], "No such command 'scroe'"),
    "unknown option": (["score", "--mappin", "plsr"], "No such option"),
    "missing option": (["trace"], "Missing option '--text'"),
    "not a number": (["score", "--folds", "ten"], "Invalid value for '--folds'"),
    "unknown subject": (
        ["score", "--subject", "minilmm"],
        "unknown subject 'minilmm'; did you mean 'minilm'",
    ),
    "no revision": (["score", "--subject", "org/name"], "has no revision"),
    "missing hub": (
        ["score", "--subject", "gpt2"],
        "cannot get openai-community/gpt2@607a30d7 from the model hub",
    ),
    "unknown norms": (["score", "--norms", "mcray"], "unknown norm set 'mcray'; did you mean 'mcrae'"),
    "norms not here": (["score", "--norms", "mcrae"], "run `interp fetch mcrae` or set INTERP_DATA"),
    "unknown control": (
        ["score", "--control", "shufle-rows"],
        "unknown control 'shufle-rows'; did you mean 'shuffle-rows'",
    ),
    "unknown metric": (["score", "--metric", "f1at10"], "unknown metric 'f1at10'"),
    "unknown mapping": (["score", "--mapping", "pslr"], "unknown mapping 'pslr'; did you mean 'plsr'"),
    "unknown embedding": (["score", "--embedding", "layer:99"], "has layers 0..6"),
    "unknown rule": (["score", "--latent", "elbo"], "unknown latent-size rule 'elbo'; did you mean 'elbow'"),
    "latent size too large": (["score", "--latent", "5000"], "latent size 5000 is not possible"),
    "negative latent size": (["score", "--latent", "-3"], "latent size -3 is not possible"),
    "too few folds": (["score", "--folds", "2"], "2 folds are too few"),
    "no seeds": (["score", "--seeds", "0"], "at least one"),
    "unknown method": (
        ["trace", "--text", "hi", "--method", "nrom"],
        "unknown contribution method 'nrom'; did you mean 'norm'",
    ),
    "method an architecture lacks": (
        ["trace", "--subject", "GPT2", "--text", "a dog", "--method", "globenc"],
        "has no definition for",
    ),
    "negative probes": (["trace", "--text", "hi", "--method", "gradient", "--probes", "-1"], "0 for exact gradients"),
    "figure of another kind": (["trace", "--text", "hi", "--out", "x.png"], "x.png: the file should end in .svg"),
    "no such folder": (["trace", "--text", "hi", "--html", "nowhere/x.html"], "there is no folder nowhere"),
    "empty text": (["trace", "--text", ""], "has no tokens"),
    "long text": (["trace", "--text", "word " * 600], "takes 512 at most"),
    "unknown device": (["trace", "--text", "hi", "--device", "tpu9"], "unknown device 'tpu9'"),
    "unknown dtype": (["trace", "--text", "hi", "--dtype", "float"], "unknown dtype 'float'"),
    "attend to empty text": (["attend", "--text", ""], "has no tokens"),
    "attend to too short a text": (["attend", "--text", "hi"], "too short for a map"),
    "attend to long text": (["attend", "--text", "word " * 600], "takes 512 at most"),
    "unknown perturbation": (
        ["attend", "--text", "the dog barks", "--perturb", "shufle-words"],
        "unknown perturbation 'shufle-words'; did you mean 'shuffle-words'",
    ),
    "swap of a word not there": (
        ["attend", "--text", "the chef thanked the waiter", "--swap", "chef,cook"],
        "the word 'cook' is not in the text",
    ),
    "swap of one word": (["attend", "--text", "the dog barks", "--swap", "dog"], "give two words with a comma between"),
    "swap without words": (["attend", "--text", "the dog barks", "--perturb", "swap"], "swap needs two words"),
    "swap and another": (
        ["attend", "--text", "the dog barks", "--swap", "dog,barks", "--perturb", "shuffle-words"],
        "one of the two",
    ),
    "no such layer": (["attend", "--text", "the dog barks", "--layer", "9"], "has layers 1 to 6"),
    "no such head": (["attend", "--text", "the dog barks", "--layer", "1", "--head", "13"], "has heads 1 to 12"),
    "head without layer": (["attend", "--text", "the dog barks", "--head", "1"], "a head needs its layer"),
    "maps of another kind": (["attend", "--text", "the dog barks", "--out", "x.png"], "end its name in .svg"),
    "figure nowhere": (["attend", "--text", "the dog barks", "--out", "/nowhere/x.svg"], "cannot write /nowhere/x.svg"),
    "unknown data set": (["fetch", "mcray"], "unknown data set 'mcray'; did you mean 'mcrae'"),
    "nothing to fetch": (["fetch", "wordnet"], "was made for this project"),
    "unknown chapter": (
        ["chapter", "residual-mixin"],
        "unknown chapter 'residual-mixin'; did you mean 'residual-mixing'",
    ),
    "unknown profile": (
        ["chapter", "residual-mixing", "--profile", "norm"],
        "unknown profile 'norm'; did you mean 'norms'",
    ),
    "unknown parameter": (
        ["chapter", "residual-mixing", "--set", "txts=3"],
        "unknown parameter 'txts'; did you mean 'texts'",
    ),
    "ill-typed parameter": (
        ["chapter", "residual-mixing", "--set", "texts=many"],
        "parameter texts takes int",
    ),
}


def in_process(capsys, *arguments):
    """The same entry point without a new process: exit code and the lines on stderr."""
    sys.argv = ["interp", *arguments]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, [line for line in capsys.readouterr().err.splitlines() if line.strip()]


@pytest.fixture
def printed(monkeypatch, capsys):
    """What a command prints that succeeds, without a new process (which would take seconds to import torch)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["interp", *arguments])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        assert ended.value.code == 0, told.err
        return told.out

    return run


@pytest.mark.parametrize(("arguments", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_one_line_and_exit_code_2(arguments, message, tmp_path, monkeypatch, capsys, tiny_folders):
    arguments = [str(tiny_folders["gpt2"]) if a == "GPT2" else a for a in arguments]
    monkeypatch.setattr(sys, "argv", [])
    monkeypatch.setenv("INTERP_DATA", "")
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    code, lines = in_process(capsys, *arguments)
    assert code == 2
    assert len(lines) == 1, lines
    assert lines[0].startswith("error: ")
    assert message in lines[0]


def test_a_process_of_its_own_ends_the_same_way():
    done = interp("score", "--norms", "mcray")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown norm set 'mcray'")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("concept,feature\na,b\n", "lacks the column value"),
        ("concept,feature,value\na,b,1\na,b,2\n", "occurs twice"),
        ("concept,feature,value\na,b,x\n", "not a finite number"),
        (
            "concept,feature,value\n" + "".join(f"w{i},f,1\n" for i in range(5)),
            "need at least 10 different lemmas",
        ),
    ],
)
def test_bad_norm_files(tmp_path, content, message, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", [])
    (tmp_path / "mine.csv").write_text(content)
    code, lines = in_process(capsys, "score", "--norms", str(tmp_path / "mine.csv"))
    assert code == 2
    assert message in lines[-1]


def test_own_norms_are_scored_and_json_is_json(tmp_path, printed):
    words = [
        "dog",
        "cat",
        "horse",
        "cow",
        "pig",
        "sheep",
        "apple",
        "pear",
        "plum",
        "cherry",
        "grape",
        "lemon",
        "car",
        "bus",
        "train",
        "boat",
        "truck",
        "van",
        "tram",
        "ship",
    ]
    rows = [f"{w},{'an_animal' if i < 6 else 'a_fruit' if i < 12 else 'a_vehicle'},9" for i, w in enumerate(words)]
    rows += [f"{w},own_{w},5" for w in words]
    (tmp_path / "mine.csv").write_text("concept,feature,value\n" + "\n".join(rows) + "\n")
    arguments = [
        "score",
        "--norms",
        str(tmp_path / "mine.csv"),
        "--folds",
        "4",
        "--latent",
        "3",
        "--control",
        "shuffle-rows",
        "--metric",
        "auc-feature",
    ]
    found = {(r["control"], r["scoring"]): r["estimate"] for r in json.loads(printed(*arguments, "--json"))}
    assert found["original", "held-out"] > 0.8
    assert 0 <= found["shuffle-rows", "held-out"] <= 1
    assert "shuffle-rows" in printed(*arguments)


def test_trace_prints_a_table_and_json(printed):
    rows = json.loads(printed("trace", "--text", "The chef thanked the waiter.", "--json"))
    assert [r["token"] for r in rows][:3] == ["[CLS]", "the", "chef"]
    assert all(0 < r["block 1"] < 1 for r in rows)
    table = printed("trace", "--text", "The chef thanked the waiter.", "--cumulated")
    assert "accumulated" in table
    assert "waiter" in table


def test_attend_prints_tables_and_json_and_writes_files(tmp_path, printed):
    sentence = ["attend", "--text", "The chef thanked the waiter.", "--swap", "chef,waiter"]
    files = ["--out", str(tmp_path / "maps.svg"), "--html", str(tmp_path / "view.html")]
    rows = json.loads(printed(*sentence, "--json", *files))
    assert [r["layer"] for r in rows] == [1, 2, 3, 4, 5, 6]
    assert {"moran", "entropy", "same, in place", "same, carried along"} <= set(rows[0])
    assert 0 < rows[0]["entropy"] < 1
    drawn = (tmp_path / "maps.svg").read_text()
    assert "layer 6, mean over heads: swap" in drawn
    assert "var(" not in drawn
    assert "waiter" in (tmp_path / "view.html").read_text()
    heads = json.loads(printed(*sentence, "--layer", "2", "--json"))
    assert [r["head"] for r in heads] == list(range(1, 13))
    one = json.loads(printed(*sentence, "--layer", "2", "--head", "3", "--json"))
    assert [r["query"] for r in one][:4] == ["1 [CLS]", "2 the", "3 waiter", "4 thanked"]
    assert all(abs(sum(v for k, v in r.items() if k != "query") - 1) < 1e-5 for r in one)
    assert "shuffle-embeddings" in printed(*sentence[:3], "--perturb", "shuffle-embeddings")


@pytest.mark.parametrize("method", ["weights", "norm", "globenc", "alti", "value-zeroing", "gradient", "propagated"])
def test_every_method_traces_a_text(method, monkeypatch, capsys, tiny_folders):
    arguments = [
        "--subject",
        str(tiny_folders["bert"]),
        "--text",
        "the chef",
        "--method",
        method,
        "--cumulated",
        "--json",
    ]
    monkeypatch.setattr(sys, "argv", ["interp", "trace", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    for row in json.loads(capsys.readouterr().out):
        assert len(row["sources"]) == 3
        assert all(abs(sum(layer) - 1) < 1e-5 for layer in row["sources"])


def test_a_trace_is_drawn_and_shown_as_a_page_that_holds_text_as_text(tmp_path, monkeypatch, capsys):
    import xml.etree.ElementTree as ElementTree

    figure, page = tmp_path / "fig.svg", tmp_path / "view.html"
    text = "</script><img src=x onerror=alert(1)> & the chef"
    arguments = ["--text", text, "--method", "alti", "--out", str(figure), "--html", str(page)]
    monkeypatch.setattr(sys, "argv", ["interp", "trace", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out.count("block") >= 6
    assert ElementTree.fromstring(figure.read_text()).tag.endswith("svg")
    content = page.read_text(encoding="utf-8")
    assert content.count("</script>") == 2
    assert "<img" not in content
    assert "http" not in content.lower().replace("http-equiv", "")
    data = json.loads(content.split('id="data">')[1].split("</script>")[0])
    assert "<" in data["tokens"]
    assert len(data["shares"]) == 2


@pytest.mark.book
def test_the_page_answers_a_click(tmp_path, tiny_folders, printed):
    page_file = tmp_path / "view.html"
    printed("trace", "--subject", str(tiny_folders["bert"]), "--text", "the chef thanked", "--html", str(page_file))
    with browser() as chromium:
        page = chromium.new_page()
        wrong = []
        page.on("pageerror", lambda e: wrong.append(str(e)))
        page.goto(page_file.as_uri())
        page.get_by_role("button", name="chef").click()
        assert page.locator("#says").inner_text() == "Sources of chef (position 3)"
        before = page.locator("#rows").inner_text()
        page.select_option("#form", index=1)
        assert page.locator("#rows tr").count() == 3
        assert page.locator("#rows").inner_text() != before
        assert wrong == []


@pytest.mark.parametrize(
    "command",
    ["norms", "perturbations", "subjects", "controls", "metrics", "methods", "corpora", "fetch --list", "claims"],
)
def test_listings(command, monkeypatch, capsys):
    for form in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["interp", *command.split(), *form])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 0
        out = capsys.readouterr().out
        assert len(json.loads(out) if form else out.splitlines()) >= 2


def test_help_and_version():
    assert "score" in interp("--help").stdout
    assert interp("--version").stdout.strip() == "0.1.0"
    assert interp().returncode in (0, 2)


def test_claims_tell_their_outcomes(capsys):
    sys.argv = ["interp", "claims", "P6", "--json"]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code in (0, None)
    rows = json.loads(capsys.readouterr().out)
    assert {r["reading"] for r in rows} == {"P6-upper", "P6-floor", "P6-rather"}
    assert {r["source"] for r in rows} == {"reference"}
    assert all(r["outcome"] in OUTCOMES and r["rule"] == "above-zero" for r in rows)
