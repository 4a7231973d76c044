"""How a run ends before its end: bad input and a disk that refuses are a line and exit code 2; Ctrl-C and SIGTERM put
away what is half done, and a lost parent counts as SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from interp.errors import InputError
from interp.files import refusal

INTERRUPTED, TERMINATED = 128 + signal.SIGINT, 128 + signal.SIGTERM
"""Exit codes, as a shell has them: of a process that Ctrl-C ended, and of one that SIGTERM ended."""


class Terminated(SystemExit):
    """SIGTERM: unwinds, so that temporary files go and kernels are shut down; left alone, the exit code is 143."""


def exit_code(work: Callable[[], int], kept: str, *, tied: bool = False, folder: Path | None = None) -> int:
    """Do what a command is there for, and answer with its exit code; whatever ends it early is one line on stderr.

    Parameters
    ----------
    work
        Answers with the exit code of a run that comes to its end.
    kept
        What is left of a run that is interrupted, and what to do then.
    tied
        End when the process that started this one does.
    folder
        Where `work` writes, for a refused write that does not say where it was.

    Returns
    -------
    int
        That of `work`; 2 for bad input and for a file system that refuses to write; 130 after Ctrl-C, 143 after
        SIGTERM.

    Raises
    ------
    Exception
        Anything else: a bug.
    """
    before = signal.signal(signal.SIGTERM, _terminate)
    if tied:
        _end_with_parent()
    try:
        return work()
    except InputError as error:
        return _refused(str(error))
    except OSError as error:
        if (why := refusal(error, None if error.filename else folder)) is None:
            raise
        return _refused(why)
    except Terminated:
        code = TERMINATED
    except KeyboardInterrupt:
        code = INTERRUPTED
    finally:
        signal.signal(signal.SIGTERM, before)
    print(f"interrupted: {kept}", file=sys.stderr)
    return code


def _refused(message: str) -> int:
    """Say what is wrong, and answer 2: one line whatever a user's text in it holds, nothing that steers a terminal."""
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in " ".join(message.split()))
    print(f"error: {line}", file=sys.stderr)
    return 2


def _terminate(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  (what a handler is called with)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a second one ends the process at once
    raise Terminated(TERMINATED)


def _end_with_parent() -> None:
    """Give this process a SIGTERM once the process that started it is gone: kill -9 tells nobody else."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True).start()
