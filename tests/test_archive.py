"""Archives of stored results: what is packed comes out the same and is replayed, and nothing else gets in."""

import hashlib
import json
import stat
import sys
import zipfile
import zlib

import pandas as pd
import pytest

from interp import archive, cli, store
from interp.errors import InputError


@store.study("adding", identities={"what": lambda name: f"identity of {name}"})
def add(*, what: str, a: int):
    return {"sums": pd.DataFrame({"sum": [a + 1.5], "name": [what]}), "more": pd.DataFrame({"x": [a]})}


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """An archive of two entries, packed elsewhere; the store of the test itself is empty."""
    with monkeypatch.context() as elsewhere:
        elsewhere.setenv("INTERP_RESULTS", str(tmp_path / "elsewhere"))
        for a in (1, 2):
            add(what="é", a=a)
        archive.pack(tmp_path / "a.zip")
    return tmp_path / "a.zip"


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_what_is_packed_comes_out_bit_for_bit_and_replays(packed, tmp_path):
    done = archive.unpack(packed)
    assert len(done.added) == 2
    assert files(store.root()) == files(tmp_path / "elsewhere")
    assert add(what="é", a=2)["sums"]["sum"][0] == 3.5
    assert store.used[-1].replayed
    assert archive.unpack(packed).there == done.added


def test_the_same_entries_give_the_same_bytes(packed, tmp_path):
    archive.unpack(packed)
    archive.pack(tmp_path / "b.zip")
    assert (tmp_path / "b.zip").read_bytes() == packed.read_bytes()


def test_a_whole_entry_stays_and_a_damaged_one_is_mended(packed):
    names = archive.unpack(packed).added
    whole, broken = (store.root() / n for n in names)
    before = (whole / "meta.json").stat().st_ino
    (broken / "sums.parquet").write_bytes(b"PAR1")
    done = archive.unpack(packed)
    assert (done.there, done.mended) == ((names[0],), (names[1],))
    assert (whole / "meta.json").stat().st_ino == before
    store.read_entry(broken)


def test_a_damaged_entry_is_not_packed(packed, tmp_path):
    names = archive.unpack(packed).added
    (store.root() / names[0] / "more.parquet").unlink()
    (store.root() / "adding" / "notes.txt").write_text("mine")
    done = archive.pack(tmp_path / "b.zip")
    assert done.entries == names[1:]
    assert set(done.left_out) == {names[0]}
    assert not [n for n in zipfile.ZipFile(tmp_path / "b.zip").namelist() if "notes" in n]


def test_an_empty_store_has_nothing_to_pack(tmp_path):
    with pytest.raises(InputError, match="no stored result to pack"):
        archive.pack(tmp_path / "b.zip")
    assert not list(tmp_path.glob("*b.zip*"))


def rewritten(source, target, change):
    """A copy of an archive whose members `change` has altered: name -> (ZipInfo or name, bytes)."""
    with zipfile.ZipFile(source) as old:
        members = {n: (old.getinfo(n), old.read(n)) for n in old.namelist()}
    members = change(members) or members
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for info, content in members.values():
            new.writestr(info, content)
    return target


def manifest_of(members):
    return json.loads(members["manifest.json"][1])


def relisted(members, manifest):
    members["manifest.json"] = ("manifest.json", json.dumps(manifest).encode())


def extra(name, content=b"x", listed=False):
    def change(members):
        members["extra"] = (name, content)
        if listed:
            manifest = manifest_of(members)
            entry, _, file = name.rpartition("/")
            manifest["entries"].setdefault(entry, {"meta.json": "0"})[file] = hashlib.sha256(content).hexdigest()
            relisted(members, manifest)

    return change


def link(members):
    name = next(n for n in members if n.endswith("sums.parquet"))
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    members[name] = (info, b"/etc/passwd")


def device(members):
    name = next(n for n in members if n.endswith("sums.parquet"))
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFCHR | 0o666) << 16
    members[name] = (info, b"")


def other_bytes(members):
    name = next(n for n in members if n.endswith("sums.parquet"))
    members[name] = (members[name][0], b"PAR1")


def replaced(members, file, content):
    """A file of the first entry, with a manifest that agrees."""
    name = next(n for n in members if n.endswith(file))
    manifest = manifest_of(members)
    manifest["entries"][name.rpartition("/")[0]][file] = hashlib.sha256(content).hexdigest()
    members[name] = (members[name][0], content)
    relisted(members, manifest)


def altered_meta(**values):
    def change(members):
        name = next(n for n in members if n.endswith("meta.json"))
        meta = {**json.loads(members[name][1]), **values}
        meta["checksum"] = store.checksum(meta)
        replaced(members, "meta.json", json.dumps(meta).encode())

    return change


def no_manifest(members):
    del members["manifest.json"]


def gone(members):
    del members[next(n for n in members if n.endswith("more.parquet"))]


def other_format(members):
    relisted(members, manifest_of(members) | {"format": 99})


def strange_manifest(members):
    relisted(members, {"format": 1, "entries": ["adding"]})


def moved(members):
    """A good entry under another entry's address."""
    manifest = manifest_of(members)
    entry = next(iter(manifest["entries"]))
    new = f"adding/{'0' * 20}"
    manifest["entries"][new] = manifest["entries"].pop(entry)
    relisted(members, manifest)
    return {
        k: (k.replace(entry, new) if k.startswith(entry) else info, content) for k, (info, content) in members.items()
    }


DIGEST = "a" * 20
BAD = {
    "parent": (extra("../evil.parquet"), "'../evil.parquet', which is no file of a stored result"),
    "parent inside": (extra(f"adding/{DIGEST}/../../../evil.parquet"), "no file of a stored result"),
    "absolute": (extra("/tmp/evil.parquet"), "no file of a stored result"),
    "drive": (extra("C:\\evil.parquet"), "no file of a stored result"),
    "folder": (extra("adding/"), "no file of a stored result"),
    "hidden": (extra(f".git/{DIGEST}/config.parquet"), "no file of a stored result"),
    "pickle": (extra(f"adding/{DIGEST}/scores.pkl", listed=True), "no file of a stored result"),
    "not listed": (extra(f"adding/{DIGEST}/more.parquet"), "is not in the manifest"),
    "other letters": (extra("MANIFEST.JSON"), "a name twice"),
    "link": (link, "is a link or a device"),
    "device": (device, "is a link or a device"),
    "other bytes": (other_bytes, "has the wrong checksum"),
    "not there": (gone, "is in the manifest and not in the archive"),
    "no manifest": (no_manifest, "has no manifest.json"),
    "other format": (other_format, "has format 99"),
    "strange manifest": (strange_manifest, "not one that interp pack writes"),
    "no table": (lambda m: replaced(m, "sums.parquet", b"PAR1PAR1"), "sums.parquet is no table"),
    "no meta": (lambda m: replaced(m, "meta.json", b"[]"), "lists no files"),
    "files elsewhere": (altered_meta(files={"../../../x.parquet": "0"}), "lists other files"),
    "no time": (altered_meta(seconds="long"), "does not say seconds"),
    "other arguments": (altered_meta(arguments={"what": "é", "a": 7}), "its address is not that"),
    "moved": (moved, "its address is not that"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD.keys())
def test_a_bad_archive_is_refused_in_one_line_and_leaves_nothing(packed, tmp_path, change, message, capsys):
    bad = rewritten(packed, tmp_path / "bad.zip", change)
    before = files(tmp_path)
    sys.argv = ["interp", "unpack", str(bad)]
    with pytest.raises(SystemExit) as ended:
        cli.main()
    lines = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: ")
    assert message in lines[0]
    assert files(tmp_path) == before


def test_a_bad_archive_spoils_no_good_entry(packed, tmp_path):
    archive.unpack(packed)
    before = files(store.root())
    for name, (change, _) in BAD.items():
        with pytest.raises(InputError):
            archive.unpack(rewritten(packed, tmp_path / f"{name}.zip", change))
    assert files(store.root()) == before


def test_more_than_the_limit_is_refused_by_what_is_declared(packed, tmp_path):
    with pytest.raises(InputError, match=r"would unpack to .* the limit is 0.0"):
        archive.unpack(packed, limit=1000)
    bomb = rewritten(packed, tmp_path / "bomb.zip", extra(f"adding/{DIGEST}/more.parquet", bytes(50_000_000), True))
    assert bomb.stat().st_size < 200_000
    with pytest.raises(InputError, match=r"the limit is 0\.0"):
        archive.unpack(bomb, limit=10_000_000)


def test_a_lie_about_the_size_brings_no_more_than_was_declared(packed, tmp_path):
    """The declared sizes are what is read, whatever the compressed stream would give."""
    bomb = rewritten(packed, tmp_path / "bomb.zip", lambda m: replaced(m, "sums.parquet", bytes(5_000_000)))
    real, small = (5_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    content = bomb.read_bytes()
    assert content.count(real) == 2
    bomb.write_bytes(content.replace(real, small))
    with pytest.raises(InputError, match=r"damaged|wrong checksum"):
        archive.unpack(bomb)
    assert files(store.root()) == {}


def test_a_table_of_endless_rows_is_refused_before_it_is_read(packed, tmp_path):
    pd.DataFrame({"x": 0 * pd.RangeIndex(3_000_000).to_numpy()}).to_parquet(tmp_path / "long.parquet")
    content = (tmp_path / "long.parquet").read_bytes()
    assert len(content) < 1_000_000
    bad = rewritten(packed, tmp_path / "bad.zip", lambda m: replaced(m, "sums.parquet", content))
    with pytest.raises(InputError, match="declares 3,000,000 rows"):
        archive.unpack(bad, limit=20_000_000)


def test_damaged_zips_are_refused(packed, tmp_path):
    content = packed.read_bytes()
    bad = tmp_path / "bad.zip"
    for damaged in (b"", content[: len(content) // 2], zlib.compress(content)):
        bad.write_bytes(damaged)
        with pytest.raises(InputError, match="no archive of stored results, or it is damaged"):
            archive.unpack(bad)
    middle = len(content) // 3
    bad.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    with pytest.raises(InputError, match=r"damaged|checksum"):
        archive.unpack(bad)
    assert files(store.root()) == {}
