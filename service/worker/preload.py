"""What the fork server imports before its first fork, so that a job's first step comes quickly.

Of all modules this one works at import, because the fork server knows no other way. It opens no
engine, starts no thread, never asks CUDA and computes nothing: children of a process that did any
of these hang.
"""

import signal
from importlib import import_module

from service.importing import without_collections

# Ctrl-C and a SIGTERM to the group are for the worker, which drains; its children hear of it by
# pipe. Ignored signals are inherited by every child; until here they were blocked (forkserver.py).
signal.signal(signal.SIGINT, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM})

MODULES = (
    "torch",
    "torch._dynamo",  # torch.optim imports it at its first step
    "torch.optim",
    "service.worker.child",  # and with it SQLAlchemy, training and the catalogue
)
# What is there then is never looked through: a child would touch, and so copy, what it shares.
with without_collections():
    for module in MODULES:
        import_module(module)
