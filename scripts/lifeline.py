"""Run a command that ends, with all it has started, when its caller does: `python lifeline.py COMMAND...`.

Standard input is the lifeline, a pipe that the caller holds open and never writes to. The system closes it however the
caller ends, kill -9 too; then, and when the command itself is over, whatever is left of its process group is told to
stop, and killed if it does not. (Jupyter kernels are no part of the group: each ends within a second of its client.)
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

GRACE = 10.0
"""Seconds between being told to stop and being killed."""


def end(process: subprocess.Popen[bytes]) -> None:
    """End the process group of `process`."""
    told = time.monotonic()
    number = signal.SIGINT  # at which Snakemake takes its jobs back from a cluster; SIGTERM would have it wait for them
    try:
        while True:
            os.killpg(process.pid, number)
            number = signal.SIGKILL if time.monotonic() - told > GRACE else 0
            process.poll()  # takes leave of it: until then it counts as there
            time.sleep(0.05)
    except (ProcessLookupError, PermissionError):  # nobody left (macOS: nobody but the dead)
        return


def main() -> int:
    for number in (signal.SIGINT, signal.SIGTERM):  # the caller decides
        signal.signal(number, lambda *_: None)
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, start_new_session=True)
    alone = threading.Event()

    def watch() -> None:
        while os.read(0, 1):  # not through sys.stdin, whose lock would be in the way at the end
            pass
        alone.set()

    threading.Thread(target=watch, daemon=True).start()
    while process.poll() is None and not alone.wait(0.1):
        pass
    end(process)
    code = process.wait()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
