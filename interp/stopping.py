"""How a run ends before its end: Ctrl-C and SIGTERM put away what is half done, and a lost parent counts as SIGTERM."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
"""Exit codes, as a shell has them: of a process that Ctrl-C ended, and of one that SIGTERM ended."""


class Terminated(SystemExit):
    """SIGTERM: unwinds, so that temporary files go and kernels are shut down; left alone, the exit code is 143."""


def heed_sigterm() -> None:
    """Have SIGTERM raise `Terminated` in this process; a second one ends it at once."""
    signal.signal(signal.SIGTERM, _terminate)


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (what a handler is called with)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    raise Terminated(TERMINATED)


def end_with_parent() -> None:
    """Give this process a SIGTERM once the process that started it is gone: kill -9 tells nobody else."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
