"""Files from the model hub, at a pinned revision, checked, offline where they are in the cache already."""

from __future__ import annotations

import json
import re
from pathlib import Path

from interp.errors import InputError
from interp.files import known_sha256

WEIGHTS = "model.safetensors"
INDEX = f"{WEIGHTS}.index.json"
"""Where weights are in several files: which tensor is in which."""

TOKENIZER = ["tokenizer*", "vocab*", "merges.txt", "*.model", "special_tokens_map.json"]
WANTED = ["*.safetensors", INDEX, "config.json", *TOKENIZER]
"""Patterns of the files that make a subject."""


def snapshot(repository: str, revision: str) -> Path:
    """The folder of a snapshot: from the cache, else from the hub.

    Raises
    ------
    InputError
        If it is in no cache and the hub cannot be reached, or does not have it, or the download breaks off.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        EntryNotFoundError,
        HfHubHTTPError,
        HTTPError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def get(local: bool) -> Path:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=WANTED, local_files_only=local))

    try:
        cached = get(local=True)
        if _whole(cached, repository):
            return cached
    except LocalEntryNotFoundError:
        pass  # not in the cache, or not all of it: ask the hub
    _reachable(repository, revision)
    try:
        return get(local=False)
    except RevisionNotFoundError:
        raise InputError(f"the model hub has no revision {revision!r} of {repository}") from None
    except RepositoryNotFoundError:
        raise InputError(f"the model hub has no public model {repository!r}") from None
    except (LocalEntryNotFoundError, EntryNotFoundError, HfHubHTTPError, RuntimeError) as error:
        raise InputError(_unreachable(repository, revision, type(error.__cause__ or error).__name__)) from None
    except (HTTPError, OSError) as error:
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise InputError(
            f"the download of {repository}@{revision[:8]} from the model hub broke off ({reason}): what has arrived is "
            "kept, try again"
        ) from None


def _whole(folder: Path, repository: str) -> bool:
    """Whether all is there that a model needs; early versions of the hub's library take part of a snapshot for all."""
    weights, index = [WEIGHTS], folder / INDEX
    if index.is_file():
        try:
            weights = json.loads(index.read_text())["weight_map"].values()
        except (ValueError, LookupError, TypeError, AttributeError):
            raise InputError(f"{index} is damaged: {_again(index, repository)}") from None
    tokenizer = [path for pattern in TOKENIZER for path in folder.glob(pattern)]
    return bool(tokenizer) and all((folder / name).is_file() for name in ["config.json", *weights])


def _reachable(repository: str, revision: str) -> None:
    """Ask once whether the hub is there: a download would retry for half a minute and print each time."""
    from huggingface_hub import constants, get_session
    from huggingface_hub.errors import HTTPError

    try:
        get_session().head(constants.ENDPOINT, timeout=10)
    except (HTTPError, OSError) as error:  # where one asked to be offline, a ConnectionError
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
            raise InputError(f"{path} has the wrong checksum: {_again(path, repository)}")


def _again(path: Path, repository: str) -> str:
    """What to do about a damaged file. The cache links to its bytes, and would link to the same ones once more."""
    return f"remove {path.resolve()} and load {repository} again"


def _recorded(repository: str, revision: str, name: str) -> str:
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HTTPError

    try:
        (info,) = HfApi().get_paths_info(repository, [name], revision=revision)
        return str(info.lfs.sha256)  # type: ignore[union-attr]
    except (HTTPError, OSError, ValueError, AttributeError) as error:
        raise InputError(f"cannot check {name} of {repository}: the hub did not say its checksum ({error})") from None
