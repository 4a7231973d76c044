"""Whatever a parser is given, it gives a right value or refuses in one line; no other exception, no file elsewhere."""

import io
import json
import shutil
import string
import zipfile
from contextlib import contextmanager, suppress

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import HealthCheck, Phase, assume, given, settings

from interp import archive, datasets, profile, store
from interp.corpora import ewt, wikitext
from interp.errors import InputError
from interp.norms import buchanan, mcrae, table
from interp.report import chapters, yaml_lines
from interp.subjects.catalogue import Name

few = settings(
    derandomize=True,
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
    phases=[Phase.generate],
)  # function-scoped fixtures are folders that each example writes anew
TEXT = st.text(max_size=30)
NAMES = st.text(string.ascii_letters + "_() é<&'", min_size=1, max_size=8).filter(str.strip)


@contextmanager
def refusing():
    """What may happen: nothing, or a refusal."""
    with suppress(InputError):
        yield


@few
@given(st.one_of(TEXT, st.from_regex(r"[a-z/@.]{0,6}(:[a-z0-9.-]{0,7}){0,4}", fullmatch=True)))
def test_names_of_subjects(text):
    with refusing():
        name = Name.parse(text)
        spelled = name.base + (f":{name.compression}" if name.compression else "")
        spelled += f":{name.twin}:{name.seed}" if name.twin else ""
        assert Name.parse(spelled) == name
        assert text.startswith(name.base)
        assert 0 <= name.seed < 2**63


CELL = st.text(string.ascii_letters + string.digits + " ,;\t\"'.-_é\0\n<", max_size=8)


@few
@given(st.lists(st.lists(CELL, max_size=5), max_size=6), st.booleans(), st.sampled_from([",", "\t", ";"]))
def test_tables_of_norms_of_anything(tmp_path, rows, header, separator):
    path = tmp_path / "mine.csv"
    lines = [["concept", "feature", "value"]] * header + rows
    path.write_text("\n".join(separator.join(row) for row in lines), encoding="utf-8")
    with refusing():
        found = table.load(path)
        assert np.isfinite(found.values).all()
        assert all(name.strip() for name in (*found.concepts, *found.features))


@few
@given(st.binary(max_size=60))
def test_tables_of_norms_of_any_bytes(tmp_path, content):
    path = tmp_path / "mine.tsv"
    path.write_bytes(b"concept\tfeature\tvalue\n" + content)
    with refusing():
        table.load(path)


@few
@given(
    st.dictionaries(st.tuples(NAMES.map(str.strip), NAMES.map(str.strip)), st.floats(-1e9, 1e9), min_size=1, max_size=9)
)
def test_a_table_of_norms_gives_its_values_back(tmp_path, cells):
    path = tmp_path / "mine.csv"
    rows = pd.DataFrame([(*pair, value) for pair, value in cells.items()], columns=["concept", "feature", "value"])
    rows.to_csv(path, index=False)
    found = table.load(path)
    for (concept, feature), value in cells.items():
        i, j = found.concepts.index(concept), found.features.index(feature)
        assert found.values[i, j] == pytest.approx(value, rel=1e-12)
    assert np.count_nonzero(found.values) == sum(value != 0 for value in cells.values())


@contextmanager
def holding(monkeypatch, content):
    """Every file of every data set has this content."""
    with monkeypatch.context() as here:
        here.setattr(datasets, "read", lambda *_: io.BytesIO(content))
        yield


MCRAE = "Concept\tFeature\tWB_Label\tBR_Label\tProd_Freq\n"


@few
@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from(["superordinate", "x"]), NAMES, CELL), max_size=5), TEXT)
def test_mcraes_file(monkeypatch, rows, tail):
    content = MCRAE + "".join("\t".join(row) + "\n" for row in rows) + tail
    with holding(monkeypatch, content.encode()), refusing():
        found = mcrae.load()
        assert np.isfinite(found.values).all()


@few
@given(st.lists(st.tuples(NAMES, NAMES, CELL, NAMES), max_size=5), TEXT)
def test_buchanans_file(monkeypatch, rows, tail):
    content = "cue,translated,normalized_translated,pos_cue\n" + "".join(",".join(row) + "\n" for row in rows) + tail
    monkeypatch.setattr("interp.norms.wordnet.supersenses", lambda *_: {})
    with holding(monkeypatch, content.encode()), refusing():
        assert np.isfinite(buchanan.load().values).all()


@few
@given(
    st.lists(st.one_of(TEXT, st.sampled_from(["# text = It is one of the many long ones here.", " = Title = ", '"'])))
)
def test_corpora(monkeypatch, lines):
    with holding(monkeypatch, "\n".join(lines).encode()), refusing():
        for corpus in (ewt, wikitext):
            assert all(8 <= len(text.split()) <= 40 for text in corpus.load().texts)


@few
@given(st.binary(max_size=40))
def test_corpora_of_any_bytes(monkeypatch, content):
    with holding(monkeypatch, content), refusing():
        ewt.load()
        wikitext.load()


PLAIN = st.one_of(st.integers(-99, 99), st.booleans(), st.none(), TEXT, st.floats(allow_nan=False))
NESTED = st.recursive(
    st.one_of(PLAIN, st.dates()), lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
KEYS = st.one_of(
    st.sampled_from(
        ["name", "description", "parameters", "chapters", "subject", "texts", "residual-mixing", "controls"]
    ),
    TEXT,
    st.integers(),
)


@few
@given(
    st.one_of(st.dictionaries(KEYS, st.one_of(st.dictionaries(KEYS, NESTED, max_size=3), NESTED), max_size=4), NESTED)
)
def test_profiles_of_anything(tmp_path, content):
    path = tmp_path / "mine.yml"
    path.write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    with refusing():
        chapters.check(profile.load(str(path)))


@few
@given(st.one_of(st.text(max_size=60), st.text("abc:-[]{}!&*#|>\n \t'\"?%@,0123456789", max_size=60)))
def test_profiles_of_any_text(tmp_path, text):
    path = tmp_path / "mine.yml"
    path.write_bytes(text.encode(errors="ignore"))
    with refusing():
        profile.load(str(path))


@few
@given(st.lists(st.text("abc=:-[]{}!&*#|>\n \t'\"?%@,.0123456789", max_size=30), max_size=3))
def test_pairs_of_name_and_value(pairs):
    with refusing():
        found = chapters.given(pairs)
        assert set(found) == {pair.partition("=")[0] for pair in pairs}


@few
@given(st.sampled_from(["texts", "methods", "example", "subject", "probes"]), NESTED)
def test_values_of_parameters(name, value):
    known = {"texts": 3, "methods": ["norm"], "example": "a", "subject": "minilm", "probes": 4}
    with refusing():
        chapters.check_parameter("here", known, name, value)
        assert type(value) is type(known[name])


BLOCKS = st.dictionaries(
    st.text(string.ascii_lowercase, min_size=1, max_size=5).filter(
        lambda key: not isinstance(yaml.safe_load(key), bool)
    ),
    st.one_of(PLAIN, st.lists(PLAIN, max_size=3)),
    min_size=1,
    max_size=4,
)


@few
@given(BLOCKS, BLOCKS, st.sampled_from(["", "# the end\n", "\n\n", "last: 1\n"]))
def test_lines_of_yaml_are_put_in_and_taken_out(before, added, after):
    assume(not set(before) & set(added))
    assume(None not in yaml.safe_load(yaml.safe_dump(before)))
    written = yaml.safe_dump(before, default_flow_style=None, sort_keys=False, allow_unicode=True, width=10_000)
    text = "chapters:\n" + "".join(f"  {line}\n" for line in written.splitlines()) + after
    with refusing():
        at = yaml_lines.end(yaml_lines.block(text, "x.yml", "chapters"))
        more = yaml_lines.insert(text, at, added, 2)
        assert yaml.safe_load(more)["chapters"] == {**yaml.safe_load(text)["chapters"], **added}
        first, *_, last = yaml_lines.block(more, "x.yml", "chapters").value[-len(added) :] * 2
        assert yaml_lines.cut(more, yaml_lines.start(first[0]), yaml_lines.end(last[1])) == text


@few
@given(st.text("abchpters:-[]{}!&*#|>\n \t'\"?", max_size=60), st.booleans())
def test_blocks_of_any_text(text, beginning):
    with refusing():
        yaml_lines.block("chapters:\n" * beginning + text, "x.yml", "chapters")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The bytes of a good archive."""
    folder = tmp_path_factory.mktemp("packed")
    with pytest.MonkeyPatch.context() as elsewhere:
        elsewhere.setenv("INTERP_RESULTS", str(folder / "results"))

        @store.study("parsing", identities={})
        def compute(*, a: int):
            return {"numbers": pd.DataFrame({"x": np.arange(a)})}

        compute(a=3)
        archive.pack(folder / "a.zip")
    return (folder / "a.zip").read_bytes()


def everything(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def unpacked(tmp_path, monkeypatch, packed):
    """Unpack bytes into a store of its own: nothing gets out of it, and what is in it is whole."""
    monkeypatch.setenv("INTERP_RESULTS", str(tmp_path / "results"))
    archive_file = tmp_path / "mutated.zip"
    archive_file.write_bytes(packed)
    archive.unpack(archive_file)
    good = everything(tmp_path / "results")

    def unpack(content):
        archive_file.write_bytes(content)
        shutil.rmtree(tmp_path / "results", ignore_errors=True)
        with refusing():
            archive.unpack(archive_file, limit=10_000_000)
        assert everything(tmp_path) in (
            {archive_file.relative_to(tmp_path): content},
            {archive_file.relative_to(tmp_path): content, **{"results" / k: v for k, v in good.items()}},
        )

    return unpack


EDITS = st.lists(
    st.tuples(st.sampled_from(["flip", "insert", "delete"]), st.floats(0, 1), st.integers(1, 255)),
    min_size=1,
    max_size=4,
)


@few
@given(EDITS)
def test_archives_with_other_bytes(packed, unpacked, edits):
    content = bytearray(packed)
    for kind, where, byte in edits:
        at = min(int(where * len(content)), len(content) - 1)
        if kind == "flip":
            content[at] ^= byte
        elif kind == "insert":
            content.insert(at, byte)
        else:
            del content[at : at + byte]
    unpacked(bytes(content))


EVIL = st.one_of(
    # zipfile cuts a name at a NUL, and cannot write one that is then empty
    st.text("./\\:abcéC0~\0 ", min_size=1, max_size=30).filter(lambda name: not name.startswith("\0")),
    st.sampled_from(["../evil.parquet", "/tmp/evil.parquet", "C:evil", "parsing/../../evil.parquet", "CON", "a" * 300]),
)


@few
@given(EVIL, st.binary(max_size=20), st.booleans())
def test_archives_with_other_names(packed, unpacked, name, content, listed):
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if listed and member == archive.MANIFEST:
                manifest = json.loads(data)
                entry, _, file = name.rpartition("/")
                manifest["entries"].setdefault(entry, {})[file] = "0" * 64
                data = json.dumps(manifest).encode()
            new.writestr(member, data)
        new.writestr(name, content)
    unpacked(changed.getvalue())


@few
@given(NESTED, st.sampled_from(["manifest", "format", "version", "entries", "entry", "file"]))
def test_archives_with_other_manifests(packed, unpacked, value, where):
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(packed)) as old, zipfile.ZipFile(changed, "w") as new:
        for member in old.namelist():
            data = old.read(member)
            if member == archive.MANIFEST:
                manifest = json.loads(data)
                entry = next(iter(manifest["entries"]))
                if where == "manifest":
                    manifest = value
                elif where == "entry":
                    manifest["entries"][entry] = value
                elif where == "file":
                    manifest["entries"][entry]["meta.json"] = value
                else:
                    manifest[where] = value
                data = json.dumps(manifest, default=str).encode()
            new.writestr(member, data)
    unpacked(changed.getvalue())


@few
@given(st.binary(max_size=60), st.booleans())
def test_files_of_data_sets(tmp_path, monkeypatch, content, packed_):
    monkeypatch.setenv("INTERP_DATA", str(tmp_path))
    dataset = datasets.DATASETS["mcrae"]
    (tmp_path / "mcrae").mkdir(exist_ok=True)
    name = dataset.files[0].name
    for ending in ("", ".gz"):
        (tmp_path / "mcrae" / f"{name}{ending}").unlink(missing_ok=True)
    (tmp_path / "mcrae" / f"{name}{'.gz' * packed_}").write_bytes(b"\x1f\x8b\x08\0" * packed_ + content)
    with pytest.raises(InputError, match=r"wrong checksum|cannot read"):
        datasets.read("mcrae", name)
