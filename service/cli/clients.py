"""The one place where commands make a client: the address from `--url`, the key from outside.

The key is no option: command lines are seen by everybody on the machine, and kept by the shell.
"""

import os

from service.client import Client

API_KEY = "TRAINYARD_API_KEY"


def connect(url: str, *, timeout: float = 30.0) -> Client:
    """Make a client that sends the key of the environment, if there is one."""
    return Client(url, api_key=os.environ.get(API_KEY), timeout=timeout)
