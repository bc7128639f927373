"""`wrk` as a client: a C program that takes less of the cores than one in Python would."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_SCRIPT = """
local bodies = {%s}
local number = 0
request = function()
  number = number %% #bodies + 1
  return wrk.format("POST", nil, {["Content-Type"] = "application/json"}, bodies[number])
end
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format("RESULT %%d %%d %%f %%f %%d\\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99), e.status + e.connect + e.read + e.timeout))
end
"""


class Found(NamedTuple):
    """What `wrk` saw. Latencies in milliseconds."""

    per_second: float
    p50: float
    p99: float
    errors: int


def is_there() -> bool:
    """Tell whether `wrk` is installed."""
    return shutil.which("wrk") is not None


def measure(
    url: str, bodies: Sequence[bytes], *, connections: int, seconds: float, folder: Path
) -> Found:
    """Send the bodies in turn, each connection its next one when it has its answer."""
    script = folder / "load.lua"
    script.write_text(_SCRIPT % ", ".join(json.dumps(each.decode()) for each in bodies))
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds:g}s"]
    run = subprocess.run(
        [*command, "--timeout", "30s", "-s", str(script), url],
        capture_output=True,
        text=True,
        check=True,
    )
    result = re.search(r"RESULT (\d+) (\d+) ([\d.]+) ([\d.]+) (\d+)", run.stdout)
    assert result is not None, run.stdout
    requests, microseconds, p50, p99, errors = map(float, result.groups())
    return Found(requests / microseconds * 1e6, p50 / 1000, p99 / 1000, int(errors))


if __name__ == "__main__":
    sys.stderr.write("a part of serving.py; nothing to run here\n")
