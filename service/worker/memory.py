"""What a job's process may take: beyond it allocations fail, and the job says why it ended.

The limit is the kernel's, on private writable memory (RLIMIT_DATA, Linux 4.7): unlike a look from
outside it is never late, and the process lives to note the reason.
"""

import resource
import sys
from pathlib import Path


def limit(more_bytes: int) -> None:
    """Let this process take so much on top of what it has; only Linux counts it so."""
    if sys.platform.startswith("linux"):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        wanted = _taken() + more_bytes
        soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def lift() -> None:
    """Take the limit back: what is left to do is small, and must not fail for want of memory."""
    if sys.platform.startswith("linux"):
        _, hard = resource.getrlimit(resource.RLIMIT_DATA)
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))


def _taken() -> int:
    """Return what counts against the limit now (proc(5): VmData, in kB)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmData"))
