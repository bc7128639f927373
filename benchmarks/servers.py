"""The servers that `serving.py` compares: each in an environment and processes of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx

ROOT = Path(__file__).parent.parent
PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = ROOT / ".bench"
PORT = 8765
_DEADLINE = 180.0
OURS = "/v1/models/{kind}/predict"


class Server(NamedTuple):
    """What a server needs, how it is started (`command(python, folder, kind)`), and asked."""

    name: str
    packages: Sequence[str]
    command: Callable[[str, Path, str], Sequence[str]]
    path: str = "/predict"
    new_words: bool = False
    """Whether it is asked about other words each time; of pictures nothing is remembered."""


class Running(NamedTuple):
    """A server that has answered: where, how long its start took, and its processes."""

    url: str
    cold_start_seconds: float
    pid: int

    def memory_bytes(self) -> int:
        """Return the proportional set size of its processes: shared pages count in shares."""
        return sum(_pss(pid) for pid in _session(self.pid))


def _script(name: str) -> Callable[[str, Path, str], Sequence[str]]:
    return lambda python, folder, kind: [
        *(python, str(PEERS / f"{name}.py"), str(folder), kind, str(PORT))
    ]


def _trainyard(*options: str) -> Callable[[str, Path, str], Sequence[str]]:
    return lambda python, _folder, _kind: [
        *(python, "-m", "service", "api", "--port", str(PORT), *options)
    ]


def _bentoml(python: str, _folder: Path, _kind: str) -> Sequence[str]:
    return [python, "-m", "bentoml", "serve", "bentoml_server:Peer", "--port", str(PORT)]


SERVERS = (
    Server("FastAPI by hand", (), _script("by_hand")),
    Server("LitServe", ("litserve==0.2.19",), _script("litserve_server")),
    Server("BentoML", ("bentoml==1.4.40",), _bentoml),
    Server("Ray Serve", ("ray[serve]==2.60.0",), _script("ray_server")),
    Server("MLflow", ("mlflow==3.17.2",), _script("mlflow_server"), "/invocations"),
    Server("Trainyard", (), _trainyard(), OURS),
    Server("Trainyard, each prompt new", (), _trainyard(), OURS, new_words=True),
    Server("Trainyard, 2 processes", (), _trainyard("--processes", "2"), OURS),
)


@contextmanager
def running(
    server: Server, folder: Path, kind: str, *, right: Callable[[httpx.Response], bool], body: bytes
) -> Generator[Running]:
    """Start a server and wait for its first right answer; end all its processes at the end."""
    python = environment(server)
    command = server.command(python, folder, kind)
    url = f"http://127.0.0.1:{PORT}{server.path.format(kind=kind)}"
    with (folder / "servers.log").open("ab") as log:
        began = time.perf_counter()
        process = subprocess.Popen(
            command,
            cwd=ROOT if python == sys.executable and "service" in command else PEERS,
            env={**os.environ, **_settings(folder, kind), "PATH": _path(python)},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            if not _has_come_up(process, url, body, right):
                words = (folder / "servers.log").read_text(errors="replace")[-2000:]
                message = f"{url} did not come up; its last words:\n{words}"
                raise SystemExit(message)
            yield Running(url, time.perf_counter() - began, process.pid)
        finally:
            _end(process)


def environment(server: Server) -> str:
    """Return the Python of a server's environment, made at first use.

    Of ours it sees torch alone that it lacks: so all servers compute with the same one.
    """
    if not server.packages:
        return sys.executable
    folder = ENVIRONMENTS / server.name.lower().replace(" ", "-")
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *server.packages], check=True)
        site = next((folder / "lib").glob("python*/site-packages"))
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        (site / "zz_torch.pth").write_text(f"{ours}\n")
        (folder / "made").touch()
    return str(python)


def _path(python: str) -> str:
    """Let an environment's own programs be found first."""
    return f"{Path(python).parent}{os.pathsep}{os.environ['PATH']}"


def _settings(folder: Path, kind: str) -> Mapping[str, str]:
    return {
        "PEER_FOLDER": str(folder),
        "PEER_KIND": kind,
        "TRAINYARD_DATABASE_URL": f"sqlite:///{folder}/trainyard.db",
        "BENTOML_DO_NOT_TRACK": "1",
        "MLFLOW_DISABLE_TELEMETRY": "1",
        "DO_NOT_TRACK": "1",
    }


def _has_come_up(
    process: subprocess.Popen[bytes],
    url: str,
    body: bytes,
    right: Callable[[httpx.Response], bool],
) -> bool:
    ends = time.perf_counter() + _DEADLINE
    with httpx.Client(headers={"Content-Type": "application/json"}, timeout=30) as client:
        while time.perf_counter() < ends and process.poll() is None:
            with suppress(httpx.TransportError):
                answer = client.post(url, content=body)
                if answer.status_code == 200:
                    assert right(answer), f"{url} answers something else: {answer.text[:300]}"
                    return True
            time.sleep(0.02)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    members = _session(process.pid)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(15)
    for pid in {*members, *_session(process.pid)}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()


def _session(leader: int) -> list[int]:
    """List the processes that belong to a server: its session, and what they have begun."""
    parents: dict[int, int] = {}
    members = {leader}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            pid = int(stat.parent.name)
            fields = stat.read_text().rpartition(")")[2].split()
            parents[pid] = int(fields[1])
            if int(fields[3]) == leader:
                members.add(pid)
    grown = True
    while grown:
        children = {pid for pid, parent in parents.items() if parent in members} - members
        members |= children
        grown = bool(children)
    return sorted(members)


def _pss(pid: int) -> int:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    sys.stderr.write("a part of serving.py; nothing to run here\n")
