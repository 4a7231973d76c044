"""Kernels that need not import torch again: one process imports what chapters import, and forks a kernel for each.

A chapter is executed as always: Papermill starts the kernel named ``python3``. Here that name leads to a small process
that stands for the kernel. It asks the warm one for a fork, hands on the environment and signals, and ends with it.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

IMPORTED = (
    "interp.attention, interp.claims, interp.norms, interp.residual, interp.studies, interp.report.figures, "
    "interp.report.page, interp.report.views, interp.subjects.positions, ipykernel.kernelapp, "
    "transformers.models.bert.modeling_bert, transformers.masking_utils, myst_nb, huggingface_hub.errors"
)
"""Modules and nothing else: no model, no norms, no result is loaded before the fork."""


@contextlib.contextmanager
def warm_kernels(root: Path, hash_seed: str = "0") -> Iterator[Path]:
    """A folder for ``JUPYTER_PATH`` whose kernel is warm, as long as the block lasts.

    Parameters
    ----------
    root
        The checkout whose package the kernels import.
    hash_seed
        Their ``PYTHONHASHSEED``: the order in which sets of words are gone through.
    """
    with tempfile.TemporaryDirectory() as folder:  # of its own: a socket's address may not be long
        address = f"{folder}/socket"
        argv = [sys.executable, "-I", __file__, "start", address, "-f", "{connection_file}"]
        spec = Path(folder) / "kernels" / "python3" / "kernel.json"
        spec.parent.mkdir(parents=True)
        spec.write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
        environment = {**os.environ, "PYTHONPATH": str(root), "PYTHONHASHSEED": hash_seed}
        server = subprocess.Popen(
            [sys.executable, __file__, "serve", address],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            text=True,
        )
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            assert server.stdout.readline() == "ready\n"
            yield Path(folder)
        finally:
            server.stdin.close()
            server.wait()
            server.stdout.close()


def serve(address: str) -> None:
    """Fork a kernel for each that asks, until nobody holds the other end of the input; then end, with every kernel."""
    for name in IMPORTED.split(", "):
        __import__(name)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a watch ended
    print("ready", flush=True)
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        asking, _ = listening.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            _watch(asking)
        asking.close()
    os.killpg(0, signal.SIGKILL)


def _watch(asking: socket.socket) -> None:
    """Fork the kernel, tell its number, wait, tell how it ended."""
    with asking.makefile("rw") as stream:
        wanted = json.loads(stream.readline())
        kernel = os.fork()
        if kernel == 0:
            _become(**wanted)
        print(kernel, file=stream, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(kernel, 0)[1]), file=stream, flush=True)
    os._exit(0)


def _become(argv: list[str], environment: dict[str, str], folder: str) -> None:
    """Run a kernel as a process would that had just been started like this."""
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.path[:] = [*filter(None, environment.get("PYTHONPATH", "").split(os.pathsep)), *sys.path]
    silent = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(silent, stream)
    from ipykernel.kernelapp import IPKernelApp

    code = 1
    try:
        IPKernelApp.launch_instance(argv=argv)
        code = 0
    finally:
        os._exit(code)


def start(address: str, argv: list[str]) -> int:
    """Stand for a kernel until it ends."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(address)
        with asking.makefile("rw") as stream:
            print(json.dumps({"argv": argv, "environment": dict(os.environ), "folder": os.getcwd()}), file=stream)
            stream.flush()
            kernel = int(stream.readline())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda number, _: os.kill(kernel, number))
            return abs(int(stream.readline()))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    else:
        sys.exit(start(sys.argv[2], sys.argv[3:]))
