"""A machine whose clock is wrong: every process that finds this module on its path gets one.

The interpreter imports it before anything else. What reads the clock in another way, `make lint`
refuses (banned-api in pyproject.toml).
"""

import os
import time

_true_time, _true_time_ns = time.time, time.time_ns
_seconds = int(os.environ["TRAINYARD_TEST_CLOCK_AHEAD_SECONDS"])

time.time = lambda: _true_time() + _seconds
time.time_ns = lambda: _true_time_ns() + _seconds * 10**9
