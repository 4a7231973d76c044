"""Files from the model hub, at a pinned revision, checked, offline where they are in the cache already."""

from __future__ import annotations

import re
from pathlib import Path

from interp.errors import InputError
from interp.files import known_sha256

WANTED = [
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "tokenizer*",
    "vocab*",
    "merges.txt",
    "*.model",
]
WANTED += ["special_tokens_map.json"]


def snapshot(repository: str, revision: str) -> Path:
    """The folder of a snapshot: from the cache, else from the hub.

    Raises
    ------
    InputError
        If it is in no cache and the hub cannot be reached, or does not have it.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def get(local: bool) -> Path:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=WANTED, local_files_only=local))

    try:
        cached = get(local=True)
        if list(cached.glob("*.safetensors")):
            return cached
    except LocalEntryNotFoundError:
        pass  # not in the cache: ask the hub
    _reachable(repository, revision)
    try:
        return get(local=False)
    except RevisionNotFoundError:
        raise InputError(f"the model hub has no revision {revision!r} of {repository}") from None
    except RepositoryNotFoundError:
        raise InputError(f"the model hub has no public model {repository!r}") from None
    except (LocalEntryNotFoundError, EntryNotFoundError, HfHubHTTPError, OSError, RuntimeError) as error:
        raise InputError(_unreachable(repository, revision, type(error.__cause__ or error).__name__)) from None


def _reachable(repository: str, revision: str) -> None:
    """Ask once whether the hub is there: a download would retry for half a minute and print each time."""
    import requests
    from huggingface_hub import constants

    try:
        if constants.HF_HUB_OFFLINE:
            raise requests.ConnectionError("offline mode")
        requests.head(constants.ENDPOINT, timeout=10)
    except requests.RequestException as error:
        raise InputError(_unreachable(repository, revision, type(error).__name__)) from None


def _unreachable(repository: str, revision: str, reason: str) -> str:
    return (
        f"cannot get {repository}@{revision[:8]} from the model hub ({reason}), and no cache has it: go online, set "
        "HF_HOME to a cache that has it, or name a local folder as the subject"
    )


def check(folder: Path, repository: str, revision: str) -> None:
    """Compare the sha256 of each weight file with what the hub recorded for it.

    The cache keeps a large file under its sha256 and links to it; where links are not to be had, the hub is asked.

    Raises
    ------
    InputError
        Naming the file whose bytes differ, or that cannot be checked.
    """
    for path in folder.glob("*.safetensors"):
        recorded = path.resolve().name
        if not re.fullmatch(r"[0-9a-f]{64}", recorded):
            recorded = _recorded(repository, revision, path.name)
        if known_sha256(path) != recorded:
            raise InputError(f"{path} has the wrong checksum: remove it and load {repository} again")


def _recorded(repository: str, revision: str, name: str) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    try:
        (info,) = HfApi().get_paths_info(repository, [name], revision=revision)
        return str(info.lfs.sha256)  # type: ignore[union-attr]
    except (HfHubHTTPError, OSError, ValueError, AttributeError) as error:
        raise InputError(f"cannot check {name} of {repository}: the hub did not say its checksum ({error})") from None
