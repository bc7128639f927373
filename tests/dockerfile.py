"""Reads a Dockerfile and a .dockerignore: as much of both as ours use."""

import json
import re
import shlex
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import NamedTuple


class Instruction(NamedTuple):
    """One instruction: `COPY`, its flags (`from` → `builder`), and what follows them."""

    name: str
    flags: dict[str, str]
    text: str

    @property
    def words(self) -> list[str]:
        """The text as a shell would split it, or the list that it is in JSON."""
        return json.loads(self.text) if self.text.startswith("[") else shlex.split(self.text)


class Stage(NamedTuple):
    """What `FROM` begins."""

    name: str
    base: str
    instructions: list[Instruction]

    def all_of(self, name: str) -> list[Instruction]:
        """All instructions of this name, in their order."""
        return [each for each in self.instructions if each.name == name]

    def last(self, name: str) -> Instruction:
        """The instruction that counts where the last one does."""
        return self.all_of(name)[-1]

    @property
    def environment(self) -> dict[str, str]:
        """What `ENV` sets, as it is written."""
        words = [word for each in self.all_of("ENV") for word in each.words]
        return dict(word.split("=", 1) for word in words)


def read_stages(file: Path) -> list[Stage]:
    """Read the stages of a Dockerfile; what stands before the first `FROM` belongs to none."""
    stages: list[Stage] = []
    for instruction in _instructions(file.read_text(encoding="utf-8")):
        if instruction.name == "FROM":
            base, *named = instruction.words
            stages.append(Stage(named[1] if named else str(len(stages)), base, []))
        elif stages:
            stages[-1].instructions.append(instruction)
    return stages


def is_ignored(path: PurePosixPath, patterns: Sequence[str]) -> bool:
    """Tell whether a path is kept out of the build: the last pattern that fits decides."""
    ignored = False
    for pattern in patterns:
        wanted = pattern.removeprefix("!")
        if any(_fits(each, wanted) for each in (path, *path.parents[:-1])):
            ignored = wanted == pattern
    return ignored


def read_ignored(file: Path) -> list[str]:
    """Read the patterns of a .dockerignore."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", "").splitlines():
        if not line.strip():
            continue
        name, rest = line.split(None, 1)
        flags: dict[str, str] = {}
        while match := re.match(r"--([a-z-]+)=(\S+)\s+", rest):
            flags[match[1]] = match[2]
            rest = rest[match.end() :]
        yield Instruction(name, flags, rest.strip())


def _fits(path: PurePosixPath, pattern: str) -> bool:
    if pattern.startswith("**/"):
        return fnmatch(path.name, pattern[3:])
    return fnmatch(str(path), pattern)
