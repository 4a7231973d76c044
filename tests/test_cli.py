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


def test_a_process_of_its_own_ends_the_same_way():
    done = interp("score", "--norms", "mcray")
    assert done.returncode == 2
    assert done.stderr.startswith("error: unknown norm set 'mcray'")
    assert "Traceback" not in done.stderr


def test_own_norms_are_scored_and_json_is_json(tmp_path):
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
        "mine.csv",
        "--folds",
        "4",
        "--latent",
        "3",
        "--control",
        "shuffle-rows",
        "--metric",
        "auc-feature",
    ]
    done = interp(*arguments, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = {(r["control"], r["scoring"]): r["estimate"] for r in json.loads(done.stdout)}
    assert found["original", "held-out"] > 0.8
    assert 0 <= found["shuffle-rows", "held-out"] <= 1
    table = interp(*arguments, cwd=tmp_path)
    assert table.returncode == 0
    assert "shuffle-rows" in table.stdout


def test_trace_prints_a_table_and_json():
    done = interp("trace", "--text", "The chef thanked the waiter.", "--json")
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [r["token"] for r in rows][:3] == ["[CLS]", "the", "chef"]
    assert all(0 < r["block 1"] < 1 for r in rows)
    table = interp("trace", "--text", "The chef thanked the waiter.", "--cumulated").stdout
    assert "accumulated" in table
    assert "waiter" in table


def test_attend_prints_tables_and_json_and_writes_files(tmp_path):
    sentence = ["attend", "--text", "The chef thanked the waiter.", "--swap", "chef,waiter"]
    files = ["--out", str(tmp_path / "maps.svg"), "--html", str(tmp_path / "view.html")]
    done = interp(*sentence, "--json", *files)
    assert done.returncode == 0, done.stderr
    rows = json.loads(done.stdout)
    assert [r["layer"] for r in rows] == [1, 2, 3, 4, 5, 6]
    assert {"moran", "entropy", "same, in place", "same, carried along"} <= set(rows[0])
    assert 0 < rows[0]["entropy"] < 1
    drawn = (tmp_path / "maps.svg").read_text()
    assert "layer 6, mean over heads: swap" in drawn
    assert "var(" not in drawn
    assert "waiter" in (tmp_path / "view.html").read_text()
    heads = json.loads(interp(*sentence, "--layer", "2", "--json").stdout)
    assert [r["head"] for r in heads] == list(range(1, 13))
    one = json.loads(interp(*sentence, "--layer", "2", "--head", "3", "--json").stdout)
    assert [r["query"] for r in one][:4] == ["1 [CLS]", "2 the", "3 waiter", "4 thanked"]
    assert all(abs(sum(v for k, v in r.items() if k != "query") - 1) < 1e-5 for r in one)
    table = interp(*sentence[:3], "--perturb", "shuffle-embeddings").stdout
    assert "shuffle-embeddings" in table


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
def test_the_page_answers_a_click(tmp_path, tiny_folders):
    page_file = tmp_path / "view.html"
    done = interp(
        "trace", "--subject", str(tiny_folders["bert"]), "--text", "the chef thanked", "--html", str(page_file)
    )
    assert done.returncode == 0, done.stderr
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
