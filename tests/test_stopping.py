"""A run that ends early says so in a line; `make book` ends then with all it has started, and goes on where it was."""

import errno
import os
import signal
import subprocess
import time
import uuid

import psutil
import pytest

from interp import stopping, store
from interp.errors import InputError
from tests import scratch

KEPT = "interrupted: what was finished is kept, and `make book` goes on from there"
LIMIT = 240
"""Seconds that anything may take before a test gives up; far less on a machine that is not busy."""


def sent(number):
    """Work that a signal ends."""

    def work():
        os.kill(os.getpid(), number)
        time.sleep(LIMIT)

    return work


def raising(error):
    """Work that fails."""

    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("work", "code", "told"),
    [
        (lambda: 0, 0, ""),
        (lambda: 7, 7, ""),
        (raising(InputError("no norms\nhere \x1b[31m")), 2, "error: no norms here \\x1b[31m\n"),
        (raising(OSError(errno.ENOSPC, "full", "/a/file")), 2, "error: cannot write /a/file: No space left on device"),
        (sent(signal.SIGTERM), 143, "interrupted: all is kept\n"),
        (sent(signal.SIGINT), 130, "interrupted: all is kept\n"),
    ],
)
def test_what_ends_a_run_early_is_one_line(work, code, told, capsys):
    before, handler = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert stopping.exit_code(work, "all is kept") == code
    finally:
        signal.signal(signal.SIGINT, handler)
    error = capsys.readouterr().err
    assert error.startswith(told)
    assert error.count("\n") == bool(told)
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.parametrize("error", [OSError(errno.ENOENT, "gone", "/a/file"), KeyError("a bug")])
def test_a_bug_is_not_hidden(error):
    with pytest.raises(type(error)):
        stopping.exit_code(raising(error), "all is kept")


class Run:
    """A `make book`, and every process that has come of it."""

    def __init__(self, here):
        self.here, self.mark = here, uuid.uuid4().hex
        env = scratch.environment(here, RUN=self.mark)
        self.make = subprocess.Popen(
            ["make", "book", "PROFILE=smoke", "CORES=1"],
            cwd=here,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(
                signal.SIGINT, signal.SIG_DFL
            ),  # ignored where tests run in the background
        )

    def processes(self):
        """Those that are still there, by what they do."""
        found = {}
        for process in psutil.process_iter():
            try:
                if process.environ().get("RUN") == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    command = " ".join(process.cmdline())
                    what = next((w for w in PARTS if w in command), command)
                    found.setdefault(what, process.pid)
            except psutil.Error:
                continue  # gone, or another user's
        return found

    def kill(self, what):
        """Kill one of them."""
        os.kill(self.processes()[what], signal.SIGKILL)

    def until(self, reached):
        """Wait until something is so."""
        deadline = time.monotonic() + LIMIT
        while not reached():
            assert time.monotonic() < deadline, self.processes()
            time.sleep(0.05)


PARTS = ("make book", "scripts/lifeline.py", "scripts/book.py", "snakemake", "interp.cli chapter", "ipykernel_launcher")


def entries(here):
    """The stored results, each of them whole, and when it was written."""
    found = {}
    for path in (here / "results" / "counting").glob("[!.]*"):
        _, meta = store.read_entry(path)
        found[meta["arguments"]["number"]] = (path / "meta.json").stat().st_mtime_ns
    return found


STOPS = {
    "Ctrl-C": (lambda run: os.killpg(run.make.pid, signal.SIGINT), -signal.SIGINT, KEPT),
    "SIGTERM": (lambda run: run.make.terminate(), -signal.SIGTERM, KEPT),
    "kill -9": (lambda run: run.make.kill(), -signal.SIGKILL, KEPT),
    "kill -9 scripts/book.py": (lambda run: run.kill("scripts/book.py"), 2, "Killed"),
    "kill -9 the kernel": (lambda run: run.kill("ipykernel_launcher"), 2, "error: chapter counting: its kernel died"),
}


@pytest.mark.slow
def test_make_book_stopped_in_every_way_ends_whole_and_goes_on(tmp_path):
    here = scratch.small_book(tmp_path / "checkout")
    before = {}
    for name, (stop, code, told) in STOPS.items():
        run = Run(here)
        run.until(lambda: len(entries(here)) >= len(before) + 2 or run.make.poll() is not None)  # noqa: B023
        assert "ipykernel_launcher" in run.processes(), name
        stop(run)
        output, _ = run.make.communicate(timeout=LIMIT)
        assert run.make.returncode == code, (name, output)
        assert told in output, (name, output)
        assert "Traceback" not in output, (name, output)
        run.until(lambda: not run.processes())  # noqa: B023
        now = entries(here)
        assert before.items() <= now.items(), name
        assert not (here / "book" / "chapters" / "counting.ipynb").exists()
        before = now

    run = Run(here)
    run.until(lambda: len(entries(here)) > len(before))
    second = scratch.run("make book PROFILE=smoke", here)
    assert second.returncode == 2
    assert "error: make book is running here already" in second.stderr
    output, _ = run.make.communicate(timeout=LIMIT)
    assert run.make.returncode == 0, output
    assert "Traceback" not in output
    assert before.items() <= entries(here).items()
    assert sorted(entries(here)) == list(range(40))
    assert (here / "_build" / "html" / "index.html").is_file()
    assert not [p for p in here.rglob(".partial-*") if p.parent.name != "counting"]
