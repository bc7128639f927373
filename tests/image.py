"""Builds our Dockerfile without a container engine, and runs what comes out of it.

This machine is the base image: every stage is an overlay above its root, in a mount namespace that
ends with the test. What the instructions ask for is done as they say it, at the paths they name;
what runs in the image is process 1 of its own namespace, on a read-only root, as the image's user
and without any rights. Only Linux does that, and only for root.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from string import Template

from tests.dockerfile import Instruction, Stage, is_ignored, read_ignored, read_stages

PYTHON = Path(sys.base_prefix) / "bin"
PATH = f"{PYTHON}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NAMESPACE = ("unshare", "--mount")
BASH = ("bash", "-euo", "pipefail", "-c")

BEGIN = Template("""
root=$stages/$name/root
mkdir -p $stages/$name/upper $stages/$name/work "$$root"
mount -t overlay overlay "$$root" \\
    -o lowerdir=/,upperdir=$stages/$name/upper,workdir=$stages/$name/work
mount -t proc proc "$$root/proc"
mount --rbind /dev "$$root/dev"
mount -t tmpfs tmpfs "$$root/tmp"
for folder in $python; do chmod o+x "$$root$$folder"; done  # the image's user runs this Python
""")

COPY = """
copy() { mkdir -p "$2"; if [ -d "$1" ]; then cp -a "$1/." "$2"; else cp -a "$1" "$2"; fi; }
"""

RUN = """
root=$1 volume=$2 user=$3
shift 3
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777,nosuid,nodev,noexec tmpfs "$root/tmp"
owner=$(stat --format=%u:%g "$root$volume")
mount -t tmpfs tmpfs "$root$volume"
chown "$owner" "$root$volume"
mount -o remount,ro,bind "$root"
exec chroot "$root" setpriv --reuid="${user%:*}" --regid="${user#*:}" --clear-groups \
    --bounding-set=-all --inh-caps=-all --no-new-privs "$@"
"""


class Image:
    """A built image; it is gone with the process that holds its namespace."""

    def __init__(self, stage: Stage, root: Path, holder: int) -> None:
        self._stage = stage
        self._root = root
        self._holder = holder

    def run(self, **settings: str) -> subprocess.Popen[str]:
        """Start what the image starts."""
        command = [*self._stage.last("ENTRYPOINT").words, *self._stage.last("CMD").words]
        where = [str(self._root), self._stage.last("VOLUME").text, self._stage.last("USER").text]
        return subprocess.Popen(
            [
                *("nsenter", f"--target={self._holder}", "--mount"),
                *(*NAMESPACE, "--pid", "--fork", "--kill-child", *BASH, RUN, "run", *where),
                *self._in_environment(settings, command),
            ],
            stdout=subprocess.PIPE,
            text=True,
        )

    def is_healthy(self, container: int, **settings: str) -> bool:
        """Run the health check beside process 1 of a container, as the image's user."""
        check = Instruction("CMD", {}, self._stage.last("HEALTHCHECK").text.split(None, 1)[1])
        user, group = self._stage.last("USER").text.split(":")
        enter = ["nsenter", f"--target={container}", "--mount", "--pid", "--root", "--wd"]
        who = [f"--setuid={user}", f"--setgid={group}"]
        command = [*enter, *who, *self._in_environment(settings, check.words)]
        return subprocess.run(command, check=False, capture_output=True).returncode == 0

    def _in_environment(self, settings: Mapping[str, str], command: Sequence[str]) -> list[str]:
        given = {**_environment(self._stage, {}), **settings}
        folder = self._stage.last("WORKDIR").text
        values = [f"{name}={value}" for name, value in given.items()]
        return ["env", "--ignore-environment", f"--chdir={folder}", *values, *command]


def first_process(container: subprocess.Popen[str]) -> int:
    """Find process 1 of a container, by the number that it has here."""
    children = Path(f"/proc/{container.pid}/task/{container.pid}/children")
    return int(children.read_text(encoding="ascii"))


def why_not(folder: Path) -> str | None:
    """Say why images cannot be built in an empty folder of this machine, or None."""
    script = f"mount -t tmpfs tmpfs {folder}\n{_begin('try', folder)}"
    command = [*NAMESPACE, *BASH, script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    return done.stderr.strip() if done.returncode else None


@contextmanager
def built(checkout: Path, folder: Path, **arguments: str) -> Generator[Image]:
    """Build the Dockerfile of `checkout` in an empty folder; the image lives until the end."""
    context, layers = folder / "context", folder / "stages"
    _copy_context(checkout, context)
    layers.mkdir()
    stages = read_stages(checkout / "Dockerfile")
    scripts = [_script_of(stage, layers, context, arguments) for stage in stages]
    begin = [COPY, f"mount -t tmpfs tmpfs {layers}"]
    script = "\n".join([*begin, *scripts, "echo built", "exec cat"])  # its input ends with us
    kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    with subprocess.Popen(
        [*NAMESPACE, *BASH, script],
        env={**kept, "PATH": PATH, "HOME": os.environ["HOME"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as holder:
        assert holder.stdout is not None
        said: list[str] = []
        while "built\n" not in said:
            line = holder.stdout.readline()
            assert line, "".join(said)
            said.append(line)
        yield Image(stages[-1], layers / stages[-1].name / "root", holder.pid)


def _copy_context(checkout: Path, context: Path) -> None:
    """Copy what .dockerignore lets through."""
    patterns = read_ignored(checkout / ".dockerignore")

    def ignored(folder: str, names: list[str]) -> list[str]:
        inside = PurePosixPath(Path(folder).relative_to(checkout))
        return [name for name in names if _is_kept_out(inside / name)]

    def _is_kept_out(path: PurePosixPath) -> bool:
        wanted = any(pattern.startswith(f"!{path}/") for pattern in patterns)
        return is_ignored(path, patterns) and not wanted

    shutil.copytree(checkout, context, ignore=ignored)


def _script_of(stage: Stage, layers: Path, context: Path, arguments: Mapping[str, str]) -> str:
    """Write what builds a stage."""
    lines = [_begin(stage.name, layers)]
    for name, value in _environment(stage, arguments).items():
        lines.append(f"export {name}={shlex.quote(value)}")
    folder = PurePosixPath("/")
    for each in stage.instructions:
        match each.name:
            case "WORKDIR":
                folder /= each.text
                lines.append(f'mkdir -p "$root{folder}"')
            case "COPY":
                *sources, target = each.words
                origin = layers / each.flags["from"] / "root" if "from" in each.flags else context
                lines += [f'copy {origin}/{source} "$root{folder / target}"' for source in sources]
            case "RUN":
                command = shlex.quote(each.text)
                lines.append(f'chroot "$root" env --chdir={folder} /bin/sh -c {command}')
            case _:
                pass  # the environment stands above; the rest says how to run the image
    return "\n".join(["(", *lines, ") < /dev/null"])


def _begin(name: str, layers: Path) -> str:
    python = " ".join(str(folder) for folder in PYTHON.parents if folder != Path("/"))
    return BEGIN.substitute(name=name, stages=layers, python=python)


def _environment(stage: Stage, arguments: Mapping[str, str]) -> dict[str, str]:
    """Expand what `ARG` and `ENV` set, on top of a base image's search path."""
    environment = {"PATH": PATH}
    for each in stage.all_of("ARG"):
        name, default = each.text.split("=", 1)
        environment[name] = arguments.get(name, default)
    for name, value in stage.environment.items():
        environment[name] = Template(value).substitute(environment)
    return environment
