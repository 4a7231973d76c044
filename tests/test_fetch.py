"""Downloads, from a server on this machine: checked, kept, and refused in one line where something is wrong."""

import hashlib
import io
import zipfile
from dataclasses import replace

import pytest

from interp import datasets
from interp.errors import InputError
from scripts.browser import serving

CONTENT = b"concept\tfeature\nrobin\tsings\n"
SHA = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "plain.txt").write_bytes(CONTENT)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("inner/folder/plain.txt", CONTENT)
    (folder / "packed.zip").write_bytes(packed.getvalue())
    (folder / "other.txt").write_bytes(b"something else")
    with serving(folder) as address:
        yield address


@pytest.fixture
def dataset(monkeypatch, server):
    monkeypatch.delenv("INTERP_DATA", raising=False)
    registered = datasets.Dataset(
        "toy", "a toy", (datasets.File("plain.txt", SHA, f"{server}/plain.txt"),), "free", "nobody"
    )
    monkeypatch.setitem(datasets.DATASETS._members, "toy", registered)

    def change(**of_the_file):
        file = replace(registered.files[0], **of_the_file)
        monkeypatch.setitem(datasets.DATASETS._members, "toy", replace(registered, files=(file,)))

    return change


@pytest.mark.usefixtures("dataset")
def test_a_fetched_file_is_read_and_kept():
    assert not datasets.available("toy")
    (path,) = datasets.fetch("toy")
    assert path.read_bytes() == CONTENT
    assert datasets.available("toy")
    assert datasets.read("toy", "plain.txt").read() == CONTENT
    before = path.stat().st_mtime_ns
    assert datasets.fetch("toy")[0].stat().st_mtime_ns == before
    assert datasets.fetch("toy", force=True)[0].stat().st_mtime_ns > before
    assert [p.name for p in path.parent.iterdir()] == ["plain.txt"]  # nothing half-written stays


def test_a_member_of_an_archive_is_taken_out(dataset, server):
    dataset(url=f"{server}/packed.zip", member="plain.txt")
    assert datasets.fetch("toy")[0].read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"url": "{server}/other.txt"}, "wrong checksum of .*other.txt"),
        ({"url": "{server}/none.txt"}, "cannot download plain.txt from .*none.txt"),
        ({"url": "http://127.0.0.1:9/plain.txt"}, "cannot download plain.txt"),
        ({"url": "{server}/packed.zip", "member": "gone.txt"}, "holds no gone.txt"),
        ({"url": "{server}/plain.txt", "member": "plain.txt"}, "did not give a zip archive"),
        ({"url": None}, "was made for this project and has no address"),
    ],
)
def test_a_download_that_goes_wrong_is_one_line_and_leaves_nothing(dataset, server, change, message):
    url = change.get("url")
    dataset(**{**change, "url": url and url.format(server=server)})
    with pytest.raises(InputError, match=message) as caught:
        datasets.fetch("toy")
    assert "\n" not in str(caught.value)
    assert not datasets.available("toy")


@pytest.mark.usefixtures("dataset")
def test_a_cached_file_that_was_changed_is_refused():
    (path,) = datasets.fetch("toy")
    path.write_bytes(CONTENT[:-4])
    with pytest.raises(InputError, match="wrong checksum"):
        datasets.read("toy", "plain.txt")
    with pytest.raises(InputError, match="delete it and fetch it again"):
        datasets.fetch("toy")


def test_every_data_set_states_its_terms_and_its_checksums():
    for dataset in datasets.DATASETS.values():
        assert dataset.licence
        assert dataset.citation
        for file in dataset.files:
            assert len(file.sha256) == 64
