"""What this machine has to give, or the container that it is seen from."""

import os
from collections.abc import Iterator
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
OWN_CGROUP = Path("/proc/self/cgroup")


def cores() -> int:
    """Count the cores this process may use: fewer than the machine has, under `taskset`."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def memory_bytes() -> int:
    """Tell how much memory there is: the machine's, or a container's lower limit."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min([machine, *cgroup_limits()])


def cgroup_limits(cgroups: Path = CGROUPS, own: Path = OWN_CGROUP) -> Iterator[int]:
    """Give the limits of this process's control groups, version 2 and 1, up to the root."""
    try:
        lines = own.read_text(encoding="ascii").splitlines()
    except OSError:  # not Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            root, name = cgroups, "memory.max"
        elif "memory" in controllers.split(","):
            root, name = cgroups / "memory", "memory.limit_in_bytes"
        else:
            continue
        folder = root / path.lstrip("/")
        # Inside a container the own group may be the root of what is seen.
        for each in (folder, *folder.parents):
            try:
                text = (each / name).read_text(encoding="ascii").strip()
            except OSError:
                continue
            if text != "max":
                yield int(text)
            if each == root:
                break
