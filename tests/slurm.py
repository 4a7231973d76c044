"""The workflow on a real SLURM of two nodes, which this script starts on this machine and stops again.

    python tests/slurm.py        (as root; needs Debian's slurm-wlm and munge)

1. A small sweep: all its jobs land, on both nodes.
2. The same sweep in a fresh folder; in mid-run one node is killed, with what runs on it. Its job is run again on the
   other node, nothing that was finished is computed twice, and the table is the same, byte for byte.

SLURM wants its configuration at /etc/slurm/slurm.conf. A configuration that is not this script's is never touched.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import yaml

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests import scratch  # noqa: E402  (found once the checkout is on the path)

CONFIGURATION = Path("/etc/slurm/slurm.conf")
MARK = "# Two nodes on one machine, for tests/slurm.py, which removes this file when it ends."
CLUSTER = "interp-test"
NODES = ("n1", "n2")
PROGRAMS = ("munged", "slurmctld", "slurmd", "scontrol", "sbatch", "srun", "squeue")
PATIENCE = 1800
"""Seconds a sweep may take on a machine that does other things, too."""

SWEEP = {
    "description": "small chapters for a subject and its untrained twin",
    "profile": "smoke",
    "chapters": ["property-inference", "token-identity"],
    "subjects": ["minilm", "minilm:random"],
    "seeds": [0],
}

HERE = {
    "jobs": 4,
    "set-threads": {"run": 1},
    "set-resources": {"run": {"mem_mb": 1000, "runtime": 60}},
    "slurm-no-account": True,
    "slurm-status-command": "squeue",
    "slurm-init-seconds-before-status-checks": 5,
    "seconds-between-status-checks": 3,
    "latency-wait": 5,
}
"""What this cluster needs otherwise than profiles/slurm says: it has two cores, and no accounting."""


class Failed(Exception):
    """What the test found wrong, in a line."""


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def configuration(folder: Path) -> str:
    """slurm.conf: nothing outside `folder` is written, and nothing but this machine is talked to."""
    host = socket.gethostname()
    settings = {
        "ClusterName": CLUSTER,
        "SlurmctldHost": f"{host}(127.0.0.1)",
        "SlurmctldPort": free_port(),
        "SlurmUser": "root",
        "AuthType": "auth/munge",
        # SLURM holds a job that it puts back into its queue until old credentials have expired: two minutes by default.
        "AuthInfo": f"socket={folder}/munge.socket,cred_expire=30",
        "CredType": "cred/munge",
        "StateSaveLocation": f"{folder}/state",
        "SlurmdSpoolDir": f"{folder}/spool.%n",
        "SlurmctldPidFile": f"{folder}/slurmctld.pid",
        "SlurmdPidFile": f"{folder}/slurmd.%n.pid",
        "SlurmctldLogFile": f"{folder}/slurmctld.log",
        "SlurmdLogFile": f"{folder}/slurmd.%n.log",
        "ProctrackType": "proctrack/linuxproc",
        "TaskPlugin": "task/none",
        "MpiDefault": "none",
        "SelectType": "select/cons_tres",
        "SelectTypeParameters": "CR_Core",
        "SlurmdParameters": "config_overrides",
        "JobRequeue": 1,
        "SlurmdTimeout": 15,
        "MinJobAge": 3600,
        "ReturnToService": 1,
    }
    lines = [MARK, *(f"{key}={value}" for key, value in settings.items())]
    common = f"NodeHostname={host} NodeAddr=127.0.0.1 CPUs=1 RealMemory=4000"
    lines += [f"NodeName={node} {common} Port={free_port()}" for node in NODES]
    lines.append(f"PartitionName=all Nodes={','.join(NODES)} Default=YES MaxTime=INFINITE State=UP")
    return "\n".join(lines) + "\n"


def told(*command: str) -> str:
    """What a command prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def wait_for(what: str, seconds: float, condition: Callable[[], bool]) -> None:
    """Come back once something is the case."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise Failed(f"waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.5)


@contextmanager
def daemon(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the foreground of a session of its own, ended when the block ends."""
    nowhere = subprocess.DEVNULL  # each keeps a log of its own
    process = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def cluster(folder: Path) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """A SLURM of two nodes; gives the process of each node."""
    if CONFIGURATION.exists() and not CONFIGURATION.read_text(errors="replace").startswith(MARK):
        raise Failed(f"{CONFIGURATION} is that of a cluster; this test writes its own there and will not replace it")
    (folder / "state").mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(128))
    key.chmod(0o400)
    with ExitStack() as stack:
        CONFIGURATION.parent.mkdir(parents=True, exist_ok=True)
        CONFIGURATION.write_text(configuration(folder))
        stack.callback(CONFIGURATION.unlink)
        place = folder / "munge.socket"
        own = [f"--{what}-file={folder / f'munge.{what}'}" for what in ("key", "pid", "seed", "log")]
        stack.enter_context(daemon("munged", "--foreground", "--force", f"--socket={place}", *own))
        wait_for("munged", 30, place.exists)
        stack.enter_context(daemon("slurmctld", "-D", "-c"))
        nodes = {node: stack.enter_context(daemon("slurmd", "-D", "-N", node)) for node in NODES}
        stack.callback(end_steps)
        wait_for("two idle nodes", 90, lambda: states() == dict.fromkeys(NODES, "idle"))
        yield nodes


def states() -> dict[str, str]:
    """The state of each node; none while the controller does not answer."""
    with suppress(subprocess.CalledProcessError):
        return dict(line.split() for line in told("sinfo", "-h", "-N", "-o", "%N %T").splitlines())
    return {}


def jobs() -> list[dict[str, str]]:
    """Every job the controller remembers."""
    lines = told("scontrol", "-o", "show", "jobs").splitlines()
    found = [dict(part.partition("=")[::2] for part in line.split() if "=" in part) for line in lines]
    return [job for job in found if "JobId" in job]


def steps(node: str | None = None) -> list[psutil.Process]:
    """The processes of jobs, and those that watch over them; of one node, or of both."""
    nodes = NODES if node is None else (node,)
    numbers = {job["JobId"] for job in jobs() if job.get("NodeList") in nodes}
    found = []
    for process in psutil.process_iter(["cmdline", "environ"]):
        title, environment = " ".join(process.info["cmdline"] or []), process.info["environ"] or {}
        watches = title.startswith("slurmstepd: [") and title[len("slurmstepd: [") :].split(".")[0] in numbers
        works = environment.get("SLURM_CLUSTER_NAME") == CLUSTER and environment.get("SLURMD_NODENAME") in nodes
        if watches or works:
            found.append(process)
    return found


def end_steps() -> None:
    """Leave nothing behind of jobs that were not over."""
    with suppress(subprocess.CalledProcessError):
        told("scancel", "--full", "--user=root")
    for process in steps():
        with suppress(psutil.NoSuchProcess):
            process.kill()


class Undertaking:
    """A sweep in a checkout, with a store of its own."""

    def __init__(self, checkout: Path, name: str) -> None:
        self.checkout, self.name = checkout, name
        self.results = checkout / f"results-{name}"
        self.folder = checkout / "_build" / "sweeps" / name
        self.log = checkout / f"{name}.log"
        (checkout / "config" / f"sweep-{name}.yml").write_text(yaml.safe_dump({"name": name, **SWEEP}))

    @contextmanager
    def running(self) -> Iterator[subprocess.Popen[bytes]]:
        """The sweep as a reader starts it, on the cluster; interrupted where the block ends before it does."""
        command = [sys.executable, "scripts/sweep.py", f"config/sweep-{self.name}.yml", "--executor", "two-nodes"]
        environment = {**os.environ, "PYTHONPATH": str(self.checkout), "INTERP_RESULTS": str(self.results)}
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                command, cwd=self.checkout, env=environment, stdout=log, stderr=log, start_new_session=True
            )
            try:
                yield process
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()

    def finish(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it is through."""
        wait_for(f"the sweep {self.name!r}", PATIENCE, lambda: process.poll() is not None)
        if process.returncode:
            raise Failed(f"the sweep {self.name!r} ended with code {process.returncode}")

    def executed(self) -> dict[str, str]:
        """The executed chapters that are there, with what each took: other figures in every execution.

        (Not when they were written: Snakemake touches what a job has written once it hears that the job is over.)
        """
        return {str(p.relative_to(self.folder)): p.read_text() for p in self.folder.glob("*/*.tsv")}

    def stored(self) -> dict[str, str]:
        """The results that are there, by when they were computed."""
        found = self.results.glob("*/[!.]*/meta.json")
        return {p.parent.name: json.loads(p.read_text())["created"] for p in found}

    @property
    def table(self) -> bytes:
        """What came out."""
        return (self.folder / "outcomes.csv").read_bytes()


def mine(since: int) -> list[dict[str, str]]:
    """The jobs submitted after job number `since`."""
    return [job for job in jobs() if int(job["JobId"]) > since]


def undisturbed(first: Undertaking) -> None:
    """All jobs land, on both nodes."""
    with first.running() as process:
        first.finish(process)
    landed = {job["JobId"]: (job["JobState"], job["NodeList"]) for job in mine(0)}
    print(f"{len(landed)} jobs: {landed}", flush=True)
    if {state for state, _ in landed.values()} != {"COMPLETED"}:
        raise Failed("not all jobs were completed")
    if len(landed) != len(first.executed()):
        raise Failed(f"{len(first.executed())} chapters were executed in {len(landed)} jobs")
    if {node for _, node in landed.values()} != set(NODES):
        raise Failed("not all nodes had a job")


def at_work(since: int) -> str | None:
    """A node in the middle of a chapter, once another chapter is finished."""
    states = [(job["JobState"], job["NodeList"]) for job in mine(since)]
    if "COMPLETED" not in {state for state, _ in states}:
        return None
    for state, node in states:
        if state == "RUNNING" and any(
            "ipykernel_launcher" in " ".join(step.info["cmdline"] or []) for step in steps(node)
        ):
            return node
    return None


def with_a_node_killed(second: Undertaking, first: Undertaking, nodes: dict[str, subprocess.Popen[bytes]]) -> None:
    """The job of the node is run again elsewhere, nothing finished is computed again, the table is the same."""
    before = max(int(job["JobId"]) for job in jobs())

    def in_the_middle() -> bool:
        """Whether all that is written belongs to jobs that are over, and a node is at work on more."""
        if process.poll() is not None:
            raise Failed("the sweep was over before a node could be killed")
        over = sum(job["JobState"] == "COMPLETED" for job in mine(before))
        return len(second.executed()) == over and at_work(before) is not None

    with second.running() as process:
        wait_for("a finished chapter, and a node in the middle of another", PATIENCE, in_the_middle)
        executed, stored, name = second.executed(), second.stored(), at_work(before)
        if name is None:
            raise Failed("the node to be killed was done too soon; run this again")
        (doomed,) = (job["JobId"] for job in mine(before) if (job["JobState"], job["NodeList"]) == ("RUNNING", name))
        os.kill(nodes[name].pid, signal.SIGKILL)
        for step in steps(name):
            with suppress(psutil.NoSuchProcess):
                step.kill()
        print(
            f"killed {name} with job {doomed}: {len(executed)} chapters, {len(stored)} results were there", flush=True
        )
        wait_for(f"{name} to be down", 120, lambda: states().get(name, "").startswith("down"))
        second.finish(process)
    after = {job["JobId"]: (job["JobState"], job["NodeList"], job["Restarts"]) for job in mine(before)}
    print(f"{len(after)} jobs: {after}", flush=True)
    if after[doomed][2] == "0" and len(after) == len(second.executed()):
        raise Failed(f"job {doomed} was neither put back into the queue nor submitted again")
    if changed := [k for k, took in executed.items() if second.executed()[k] != took]:
        raise Failed(f"executed again, though it was finished: {', '.join(changed)}")
    if changed := [k for k, when in stored.items() if second.stored()[k] != when]:
        raise Failed(f"computed again, though it was stored: {', '.join(changed)}")
    if second.table != first.table:
        raise Failed("the table is not that of the undisturbed sweep")


def prepare(folder: Path) -> Path:
    """A checkout with the profile of a cluster for what this one is."""
    here = scratch.checkout(folder / "checkout")
    settings = yaml.safe_load((ROOT / "profiles" / "slurm" / "config.yaml").read_text())
    (here / "profiles" / "two-nodes").mkdir()
    (here / "profiles" / "two-nodes" / "config.yaml").write_text(yaml.safe_dump({**settings, **HERE}))
    return here


def tail(folder: Path) -> None:
    """The end of every log, for whoever has to find out."""
    places = ("*.log", "checkout/*.log", "checkout/.snakemake/slurm_logs/**/*.log")
    logs = [log for place in places for log in sorted(folder.glob(place))]
    for log in logs:
        lines = log.read_text(errors="replace").splitlines()[-40:]
        print(f"--- {log.relative_to(folder)}", *lines, sep="\n", file=sys.stderr)


def main() -> int:
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing or os.geteuid() != 0:
        print(f"error: this needs root and {', '.join(missing) or 'nothing else'}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # what was started is stopped then, too
    with tempfile.TemporaryDirectory(prefix="interp-slurm-", ignore_cleanup_errors=True) as scratch_folder:
        folder = Path(scratch_folder)
        started = time.monotonic()
        try:
            checkout = prepare(folder)
            first, second = Undertaking(checkout, "undisturbed"), Undertaking(checkout, "disturbed")
            with cluster(folder) as nodes:
                undisturbed(first)
                print(f"all jobs landed, on both nodes ({time.monotonic() - started:.0f} s)", flush=True)
                with_a_node_killed(second, first, nodes)
                print(f"a killed node was survived ({time.monotonic() - started:.0f} s in all)", flush=True)
        except (Failed, subprocess.SubprocessError) as error:
            tail(folder)
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
