"""Processes that are killed, and what they leave: what was finished is kept, nothing half is ever read as whole."""

import os
import random
import socketserver
import subprocess
import sys
import threading
import time

import pandas as pd
import pytest

from interp import datasets, files, store
from interp.errors import InputError
from tests import moments
from tests.conftest import ROOT


@pytest.mark.parametrize("what", moments.WHAT)
def test_killed_at_any_moment_nothing_half_is_read_as_whole(what, tmp_path):
    command = [sys.executable, "-m", "tests.moments", what, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) >= 4


COUNTING = """
import pandas as pd
from interp import store

@store.study("counting", identities={})
def counted(*, number):
    return {"counted": pd.DataFrame({"number": [number] * 20_000}).sample(frac=1, random_state=number)}

if __name__ == "__main__":
    for number in range(100_000):
        counted(number=number)
"""


def whole(folder):
    """The entries of a study; each is read, and every number in it is its own."""
    found = {}
    for path in folder.glob("[!.]*"):
        tables, meta = store.read_entry(path)
        assert (tables["counted"]["number"] == meta["arguments"]["number"]).all()
        found[meta["arguments"]["number"]] = (path / "meta.json").stat().st_mtime_ns
    return found


def test_two_runs_at_a_time_killed_at_random_moments_lose_nothing(tmp_path):
    """Two processes fill one store; every kill leaves whole entries, and nothing that was finished is done again."""
    draw, before = random.Random(8), {}
    for _ in range(3):
        run = [sys.executable, "-c", COUNTING]
        both = [subprocess.Popen(run, env={**os.environ, "INTERP_RESULTS": str(tmp_path)}) for _ in range(2)]
        while len(list((tmp_path / "counting").glob("[!.]*"))) < len(before) + 3:
            assert both[0].poll() is None
            time.sleep(0.01)
        time.sleep(draw.random() / 5)
        for process in both:
            process.kill()
            process.wait()
        now = whole(tmp_path / "counting")
        assert before.items() <= now.items()
        before = now
    assert sorted(before) == list(range(len(before)))


def test_what_a_killed_process_left_is_removed_a_day_later_and_nothing_else(tmp_path):
    old, new = tmp_path / f"{files.PARTIAL}a-1", tmp_path / f"{files.PARTIAL}b-2"
    writing = tmp_path / f"{files.PARTIAL}c-3"  # begun long ago, and written to just now
    for folder in (old, writing):
        folder.mkdir()
        (folder / "part").write_text("half")
    new.write_text("half")
    long_ago = time.time() - files.LEFT_OVER - 60
    for path in (old / "part", old, writing):
        os.utime(path, (long_ago, long_ago))
    files.write_text(tmp_path / "text", "whole")
    assert {p.name for p in tmp_path.iterdir()} == {new.name, writing.name, "text"}


def test_every_changed_byte_of_an_entry_is_noticed_and_it_is_computed_again():
    @store.study("kept", identities={})
    def kept(*, a: int):
        return {"one": pd.DataFrame({"value": [a]})}

    kept(a=3)
    (folder,) = (store.root() / "kept").iterdir()
    draw, noticed = random.Random(8), 0
    for file in ("meta.json", "one.parquet") * 30:
        original = (folder / file).read_bytes()
        at = draw.randrange(len(original))
        changed = original[at] ^ (1 << draw.randrange(7))
        (folder / file).write_bytes(original[:at] + bytes([changed]) + original[at + 1 :])
        try:
            tables, meta = store.read_entry(folder)
        except ValueError:
            noticed += 1
        else:  # white space between the words of meta.json, or the name of its own checksum
            assert file == "meta.json"
            assert tables["one"]["value"][0] == meta["arguments"]["a"] == 3
        (folder / file).write_bytes(original)
    assert noticed >= 50
    (folder / "one.parquet").write_bytes(b"PAR1")
    with pytest.warns(store.DamagedEntry, match=f"{folder} is damaged .*computing it again"):
        assert kept(a=3)["one"]["value"][0] == 3
    store.read_entry(folder)


def test_an_entry_that_cannot_be_read_is_not_taken_for_damaged(monkeypatch):
    @store.study("kept", identities={})
    def kept(*, a: int):
        return {"one": pd.DataFrame({"value": [a]})}

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    kept(a=3)
    with monkeypatch.context() as patch:
        patch.setattr(store, "sha256", refuse)
        with pytest.raises(InputError, match=r"cannot read the stored result .*: Permission denied"):
            kept(a=3)
    kept(a=3)
    assert store.used[-1].replayed


def test_one_at_a_time_and_a_killed_holder_lets_go(tmp_path):
    lock = tmp_path / "lock"
    holding = f"""
import time
from pathlib import Path
from interp.files import alone
with alone(Path({str(lock)!r}), "it"):
    print("held", flush=True)
    time.sleep(600)
"""
    holder = subprocess.Popen([sys.executable, "-c", holding], stdout=subprocess.PIPE, text=True)
    assert holder.stdout.readline() == "held\n"
    told = rf"it is running here already \(process {holder.pid}\)"
    with pytest.raises(InputError, match=told), files.alone(lock, "it"):
        pass
    holder.kill()
    holder.communicate()
    with files.alone(lock, "it"):
        assert lock.read_text() == f"{os.getpid()}\n"


CONTENT = b"concept\tfeature\n" + b"robin\tsings\n" * 10_000


@pytest.fixture
def slow_server():
    """Serves `CONTENT`; stops in the middle, for ever, as long as `halting` is set."""
    halting = threading.Event()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self):
            while self.rfile.readline().strip():
                pass
            self.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % len(CONTENT) + CONTENT[:50_000])
            self.wfile.flush()
            while halting.is_set():
                time.sleep(0.01)
            self.wfile.write(CONTENT[50_000:])

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

        def handle_error(self, request, client_address):
            """A client that was killed is no error here."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/norms.txt", halting
        halting.clear()
        server.shutdown()


FETCHING = """
import hashlib, sys
from interp import datasets
file = datasets.File("norms.txt", sys.argv[2], sys.argv[1])
datasets.DATASETS.add("toy", datasets.Dataset("toy", "a toy", (file,), "free", "nobody"))
print(*datasets.fetch("toy"))
"""


def test_a_download_that_is_killed_is_not_there_and_the_next_one_is_whole(slow_server, tmp_path):
    import hashlib

    address, halting = slow_server
    halting.set()
    run = [sys.executable, "-c", FETCHING, address, hashlib.sha256(CONTENT).hexdigest()]
    killed = subprocess.Popen(run, env={**os.environ, "INTERP_CACHE": str(tmp_path)}, stderr=subprocess.DEVNULL)
    while not [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size]:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert not (tmp_path / "toy").exists()
    halting.clear()
    two = [
        subprocess.Popen(run, env={**os.environ, "INTERP_CACHE": str(tmp_path)}, stderr=subprocess.PIPE) for _ in "ab"
    ]
    for process in two:
        assert process.wait() == 0, process.stderr.read()
        process.stderr.close()
    assert (tmp_path / "toy" / "norms.txt").read_bytes() == CONTENT
    left = [p for p in tmp_path.iterdir() if p.name != "toy"]
    assert all(p.name.startswith(files.PARTIAL) for p in left)
    assert len(left) == 1  # of the one that was killed; a later download removes it
    assert datasets.cache_folder() != tmp_path
