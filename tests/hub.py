"""A model hub of one repository, here: what `huggingface_hub` asks of the real one, and connections that break off."""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

REPOSITORY = "org/name"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(ThreadingHTTPServer):
    """Serves the files of a folder as one commit of `REPOSITORY`; weights as large files, known by their sha256."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files = {path.name: path.read_bytes() for path in folder.iterdir()}
        self.recorded = {name: hashlib.sha256(content).hexdigest() for name, content in self.files.items()}
        self.asked: Counter[str] = Counter()
        """How often the content of each file was asked for."""
        self.breaking: set[str] = set()
        """Files whose connection breaks off half way."""

    @property
    def address(self) -> str:
        """What HF_ENDPOINT has to be."""
        return f"http://127.0.0.1:{self.server_port}"

    def entry(self, name: str) -> dict:
        """A file as the hub lists it."""
        size, sha256 = len(self.files[name]), self.recorded[name]
        large = {"lfs": {"oid": sha256, "size": size, "pointerSize": 134}} if name.endswith(".safetensors") else {}
        return {"type": "file", "path": name, "size": size, "oid": sha256[:40], **large}


class _Handler(BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nothing is printed."""

    def do_HEAD(self) -> None:
        self._answer(content=False)

    def do_GET(self) -> None:
        self._answer(content=True)

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._json([self.server.entry(name) for name in asked["paths"]])

    def _answer(self, *, content: bool) -> None:
        path = self.path.partition("?")[0]
        file = re.fullmatch(f"/{REPOSITORY}/resolve/{COMMIT}/(.+)", path)
        if file and file[1] in self.server.files:
            self._file(file[1], content=content)
        elif path == f"/api/models/{REPOSITORY}/tree/{COMMIT}":
            self._json([self.server.entry(name) for name in self.server.files])
        elif path == f"/api/models/{REPOSITORY}/revision/{COMMIT}":
            self._json({"id": REPOSITORY, "sha": COMMIT, "siblings": [{"rfilename": n} for n in self.server.files]})
        else:
            self.send_response(200 if path == "/" else 404)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def _file(self, name: str, *, content: bool) -> None:
        known, entry = self.server.files[name], self.server.entry(name)
        start = int((re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")) or ["", "0"])[1])
        self.send_response(206 if start else 200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{entry["lfs"]["oid"] if "lfs" in entry else entry["oid"]}"')
        self.send_header("Content-Length", str(len(known) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(known) - 1}/{len(known)}")
        self.end_headers()
        if not content:
            return
        self.server.asked[name] += 1
        if name in self.server.breaking:
            self.wfile.write(known[start : start + (len(known) - start) // 2])
            self.close_connection = True
        else:
            self.wfile.write(known[start:])

    def _json(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def served(folder: Path) -> Iterator[Hub]:
    """A hub with the files of `folder`, until the block is left."""
    with Hub(folder) as hub:
        thread = threading.Thread(target=hub.serve_forever, daemon=True)
        thread.start()
        try:
            yield hub
        finally:
            hub.shutdown()
            thread.join()
