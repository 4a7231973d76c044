"""Models from the hub: downloaded once, gone on with after a break, never loaded in part or with other bytes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoModel, AutoTokenizer

from interp.errors import InputError
from interp.subjects import hub
from tests.hub import COMMIT, REPOSITORY, served

NAME = f"{REPOSITORY}@{COMMIT}"

ASK = """
import json, sys
from interp import subjects
from interp.errors import InputError
try:
    print(json.dumps({"states": subjects.load(sys.argv[1]).model.embeddings.word_embeddings.weight[:2].tolist()}))
except InputError as error:
    print(json.dumps({"refused": str(error)}))
"""


@pytest.fixture(scope="module")
def sharded(tiny_folders, tmp_path_factory):
    """A small model whose weights are in several files."""
    folder = tmp_path_factory.mktemp("sharded")
    AutoModel.from_pretrained(tiny_folders["bert"]).save_pretrained(folder, max_shard_size="20KB")
    AutoTokenizer.from_pretrained(tiny_folders["bert"]).save_pretrained(folder)
    assert len(list(folder.glob("*.safetensors"))) > 2
    return folder


@pytest.fixture
def ask(tmp_path):
    """Load the model in a process of its own, which keeps what it downloads in a folder of this test."""

    def ask(hub, **more):
        known = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.address, "HF_HUB_OFFLINE": "0", "NO_PROXY": "127.0.0.1"}
        command = [sys.executable, "-c", ASK, NAME]
        done = subprocess.run(command, env=os.environ | known | more, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return ask


def shards(server):
    return sorted(name for name in server.files if name.endswith(".safetensors"))


def test_it_is_downloaded_once_and_then_there_offline(sharded, ask):
    with served(sharded) as server:
        found = ask(server)
        expected = AutoModel.from_pretrained(sharded).embeddings.word_embeddings.weight[:2].tolist()
        assert found == {"states": expected}
        assert server.asked == dict.fromkeys(server.files, 1)
        assert ask(server, HF_HUB_OFFLINE="1") == {"states": expected}
        assert server.asked.total() == len(server.files)


def test_what_broke_off_is_gone_on_with(sharded, ask):
    with served(sharded) as server:
        first, *others = shards(server)
        server.breaking = set(others)
        refused = ask(server)["refused"]
        assert refused == (
            f"the download of {REPOSITORY}@{COMMIT[:8]} from the model hub broke off (RemoteProtocolError): what has "
            "arrived is kept, try again"
        )
        assert "go online" in ask(server, HF_HUB_OFFLINE="1")["refused"]
        before = server.asked[first]
        server.breaking = set()
        assert "states" in ask(server)
        assert server.asked[first] == before == 1


def test_other_bytes_than_the_hub_recorded_are_refused(sharded, ask):
    with served(sharded) as server:
        name = shards(server)[1]
        right = server.files[name]
        server.files[name] = right[:-1] + bytes([right[-1] ^ 1])
        refused = ask(server)["refused"]
        assert f"{name} has the wrong checksum" in refused, refused
        server.files[name] = right
        Path(refused.split("remove ")[1].split(" and ")[0]).unlink()  # as one is told
        assert "states" in ask(server)


@pytest.mark.parametrize("content", ["{", '{"weights": {}}', "[]"])
def test_a_damaged_index_is_refused(sharded, tmp_path, content):
    folder = tmp_path / "snapshot"
    shutil.copytree(sharded, folder)
    (folder / hub.INDEX).write_text(content)
    with pytest.raises(InputError, match=f"{hub.INDEX} is damaged: remove .*{hub.INDEX} and load a/b again"):
        hub._whole(folder, "a/b")


@pytest.mark.parametrize("lacking", ["config.json", "model.safetensors.index.json", "tokenizer", "model-00003"])
def test_part_of_a_snapshot_is_not_taken_for_all_of_it(sharded, tmp_path, lacking):
    folder = tmp_path / "snapshot"
    shutil.copytree(sharded, folder)
    assert hub._whole(folder, REPOSITORY)
    for path in folder.glob(f"{lacking}*"):
        path.unlink()
    assert not hub._whole(folder, REPOSITORY)
