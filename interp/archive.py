"""Stored results as one file: computed on one machine, replayed on another.

An archive is a zip with a ``manifest.json`` (the sha256 of every other file) and the entries as they lie in the store,
``<study>/<digest>/{*.parquet, meta.json}``, each with its provenance in ``meta.json``. It holds tables and JSON, never
anything that runs when it is read. The same entries give the same bytes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interp import __version__, store
from interp.errors import InputError
from interp.files import partial_name, refusal, remove, replacing, sha256

FORMAT = 1
MANIFEST = "manifest.json"
LIMIT = 4 * 2**30
"""Bytes that an archive may declare to unpack to, unless said otherwise."""
MOST_MEMBERS = 100_000
_MANIFEST_LIMIT = 64 * 2**20

_ENTRY = re.compile(r"[a-z0-9][a-z0-9-]{0,63}/[0-9a-f]{20}")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}\.parquet|meta\.json")
_OWNER = ("study", "arguments", "identities", "source")
_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Packed:
    """What went into an archive."""

    entries: tuple[str, ...]
    left_out: dict[str, str]
    """Entries that are damaged, and how."""


@dataclass(frozen=True)
class Unpacked:
    """What came out of an archive."""

    added: tuple[str, ...]
    there: tuple[str, ...]
    """Entries that the store has already, whole; they stay as they are."""
    mended: tuple[str, ...]
    """Entries that were damaged in the store and were replaced."""


def pack(out: Path) -> Packed:
    """Write every whole entry of the store to `out`, in one rename.

    Raises
    ------
    InputError
        Where the store has no whole entry, or `out` cannot be written.
    """
    root = store.root()
    whole, left_out = {}, {}
    for folder in sorted(p for p in root.glob("*/*") if p.is_dir() and _ENTRY.fullmatch(f"{p.parent.name}/{p.name}")):
        name = f"{folder.parent.name}/{folder.name}"
        try:
            whole[name] = _checked(folder)
        except ValueError as error:
            left_out[name] = str(error)
    if not whole:
        raise InputError(f"{root} has no stored result to pack: execute a chapter first (make book, or interp chapter)")
    try:
        with replacing(out) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            content = {"format": FORMAT, "version": __version__, "entries": whole}
            archive.writestr(_member(MANIFEST), json.dumps(content, indent=1, sort_keys=True) + "\n")
            for name, files in whole.items():
                for file in sorted(files):
                    archive.writestr(_member(f"{name}/{file}"), (root / name / file).read_bytes())
    except OSError as error:
        raise InputError(refusal(error, out) or f"cannot write {out}: {error.strerror or error}") from None
    return Packed(tuple(whole), left_out)


def unpack(path: Path, *, limit: int = LIMIT) -> Unpacked:
    """Check a whole archive, then put its entries into the store, each in one rename.

    Nothing is put there if anything is wrong with any of them, and an entry that the store has whole is never replaced.

    Parameters
    ----------
    limit
        Bytes that the archive may unpack to.

    Raises
    ------
    InputError
        Naming what is wrong: no archive of this kind, a file that is not in its manifest or has another checksum, a
        name that leads elsewhere, a link, more than `limit` bytes, an entry that is not what its address says.
    """
    root = store.root()
    with _opened(path) as archive:
        manifest = _manifest(path, archive, limit)
        try:
            staged = partial_name(root / "unpacked")
            staged.mkdir(parents=True)
        except OSError as error:
            raise InputError(refusal(error, root) or f"cannot write to {root}: {error.strerror or error}") from None
        try:
            for name, files in manifest.items():
                _extract(path, archive, name, files, staged)
                _check_entry(path, name, staged / name, limit)
            return _put(manifest, staged, root)
        except OSError as error:
            why = refusal(error, root) or error.strerror or error
            raise InputError(f"cannot unpack {path} into {root}: {why}") from None
        finally:
            remove(staged)


def _put(names: dict[str, dict[str, str]], staged: Path, root: Path) -> Unpacked:
    added, there, mended = [], [], []
    for name in names:
        target = root / name
        if target.is_dir():
            try:
                _checked(target)
                there.append(name)
                continue
            except ValueError:
                shutil.rmtree(target)
                mended.append(name)
        else:
            added.append(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            (staged / name).rename(target)
        except OSError:
            if not target.is_dir():
                raise
            # Another process finished the same computation first; its entry is as good as this one.
    return Unpacked(tuple(added), tuple(there), tuple(mended))


def _member(name: str) -> zipfile.ZipInfo:
    """A regular file with nothing of the machine or the hour in it."""
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = (stat.S_IFREG | 0o644) << 16
    return info


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except FileNotFoundError:
        raise InputError(f"there is no archive {path}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no archive of stored results, or it is damaged: {error}") from None
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from None


def _manifest(path: Path, archive: zipfile.ZipFile, limit: int) -> dict[str, dict[str, str]]:
    """The checksums by entry and file, once all names, kinds and sizes in the archive are found harmless."""
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        raise InputError(f"{path} holds {len(members):,} files; at most {MOST_MEMBERS:,} are unpacked")
    names = [m.filename for m in members]
    if len({n.lower() for n in names}) < len(names):
        raise InputError(f"{path} holds a name twice")
    for member in members:
        entry, _, file = member.filename.rpartition("/")
        kind = stat.S_IFMT(member.external_attr >> 16)
        if member.filename != MANIFEST and not (_ENTRY.fullmatch(entry) and _FILE.fullmatch(file)):
            raise InputError(f"{path} holds {member.filename!r}, which is no file of a stored result")
        if kind not in (0, stat.S_IFREG):
            raise InputError(f"{path} holds {member.filename!r}, which is a link or a device, not a file")
    declared = sum(m.file_size for m in members)
    if declared > limit:
        told = f"{declared / 2**30:.1f} GiB, and the limit is {limit / 2**30:.1f}"
        raise InputError(f"{path} would unpack to {told} (--limit raises it)")
    if MANIFEST not in names or archive.getinfo(MANIFEST).file_size > _MANIFEST_LIMIT:
        raise InputError(f"{path} is no archive of stored results: it has no {MANIFEST} (interp pack writes one)")
    found = _listed(path, archive.read(MANIFEST))
    listed = {f"{name}/{file}" for name, files in found.items() for file in files}
    for name in sorted(listed ^ (set(names) - {MANIFEST})):
        where = "is in the manifest and not in the archive" if name in listed else "is not in the manifest"
        raise InputError(f"{path}: {name} {where}")
    return found


def _listed(path: Path, content: bytes) -> dict[str, dict[str, str]]:
    """What a manifest lists, in the one shape it may have."""
    try:
        manifest = json.loads(content)
        version, entries = manifest["format"], manifest["entries"]
        strings = all(isinstance(sha, str) for files in entries.values() for sha in files.values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(f"{path}: {MANIFEST} is not one that interp pack writes") from None
    if version != FORMAT:
        raise InputError(f"{path} has format {version!r}, and this version reads format {FORMAT}: pack it again")
    if not strings or not all("meta.json" in files for files in entries.values()):
        raise InputError(f"{path}: {MANIFEST} is not one that interp pack writes")
    return dict(entries)


def _extract(path: Path, archive: zipfile.ZipFile, name: str, files: dict[str, str], staged: Path) -> None:
    (staged / name).mkdir(parents=True)
    for file, wanted in files.items():
        digest = hashlib.sha256()
        with archive.open(f"{name}/{file}") as source, (staged / name / file).open("wb") as target:
            while block := source.read(1 << 20):
                digest.update(block)
                target.write(block)
        if digest.hexdigest() != wanted:
            raise InputError(f"{path}: {name}/{file} has the wrong checksum; get the archive again")


def _check_entry(path: Path, name: str, folder: Path, limit: int) -> None:
    try:
        for table in folder.glob("*.parquet"):
            _check_size(table, limit)
        _check_meta(folder)
        _checked(folder)
    except ValueError as error:
        raise InputError(f"{path}: {name} is no stored result: {error}") from None


def _check_meta(folder: Path) -> None:
    """Everything the store and a chapter's provenance will read from it, before anything follows what it says."""
    meta = json.loads((folder / "meta.json").read_text(encoding="utf-8"))
    if not isinstance(meta, dict) or not isinstance(meta.get("files"), dict):
        raise ValueError("its meta.json lists no files")
    if set(meta["files"]) | {"meta.json"} != {p.name for p in folder.iterdir()}:
        raise ValueError("its meta.json lists other files")
    shapes: dict[str, type | tuple[type, ...]] = {
        "created": str,
        "seconds": (int, float),
        "arguments": dict,
        "identities": dict,
    }
    wrong = [key for key, shape in shapes.items() if not isinstance(meta.get(key), shape)]
    if wrong or not all(isinstance(v, str) for v in meta["identities"].values()):
        raise ValueError(f"its meta.json does not say {wrong[0] if wrong else 'what its data are'} as it should")


def _check_size(table: Path, limit: int) -> None:
    """Compressed columns can declare any number of rows: look before they are read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        shape = pq.read_metadata(table)
    except (pa.ArrowException, OSError):
        raise ValueError(f"{table.name} is no table") from None
    if shape.num_rows * max(shape.num_columns, 1) * 8 > limit:
        raise ValueError(f"{table.name} declares {shape.num_rows:,} rows, more than the limit allows")


def _checked(folder: Path) -> dict[str, str]:
    """The checksums of a whole entry, by file.

    Raises
    ------
    ValueError
        Saying how it is damaged, or that it lies at another address than what it says about itself gives.
    """
    meta = store.read_entry(folder)[1]
    if not set(_OWNER) <= set(meta):
        raise ValueError("its meta.json lacks what the result depends on")
    if (meta["study"], store.digest_of({k: meta[k] for k in _OWNER})) != (folder.parent.name, folder.name):
        raise ValueError("its address is not that of what its meta.json says")
    return {file: sha256(folder / file) for file in [*meta["files"], "meta.json"]}


def summary(result: Packed | Unpacked) -> list[dict[str, Any]]:
    """One row a study: how many entries were packed, or added, there and mended."""
    fields = {"packed": result.entries} if isinstance(result, Packed) else {
        "added": result.added, "there already": result.there, "mended": result.mended
    }  # fmt: skip
    studies = sorted({name.split("/")[0] for names in fields.values() for name in names})
    return [
        {"study": s, **{k: sum(n.split("/")[0] == s for n in names) for k, names in fields.items()}} for s in studies
    ]
