"""The demonstration: start a service, use it as a user would, and prove that it worked."""

import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from service.cli import output, refusals
from service.cli.demo.images import show_images
from service.cli.demo.proof import Proof, StepFailedError
from service.cli.demo.rows import show_rows
from service.cli.demo.service import ServiceProcess
from service.cli.demo.words import show_eating, show_english
from service.client import Client, TrainyardError


def run() -> int:
    """Show everything; return 0 only if every step really worked, otherwise 1."""
    signal.signal(signal.SIGTERM, _leave)
    started = time.monotonic()
    proof = Proof()
    with tempfile.TemporaryDirectory(prefix="trainyard-demo-") as folder:
        process = ServiceProcess(Path(folder))
        try:
            with process:
                _show(process, proof)
        except TrainyardError as error:
            refusals.print_problem(error)
            proof.failures.append(error.detail)
        except (StepFailedError, TimeoutError) as error:
            proof.failures.append(str(error))
        if proof.failures:
            output.messages.print(f"\nThe service's log ends:\n{process.log_tail()}", markup=False)
    return _conclusion(proof, seconds=time.monotonic() - started)


def _show(process: ServiceProcess, proof: Proof) -> None:
    with Client(process.url) as client:
        _title("Trainyard")
        state = client.ready()
        output.results.print(f"  `trainyard up` runs at {process.url}, pid {process.pid}")
        proof.expect(state.get("status") == "ready", "GET /readyz: database and worker are there")
        parts: list[tuple[str, Callable[[Client, Proof], None]]] = [
            ("An Elman RNN learns what people like to eat", show_eating),
            ("A small word model learns real English: Python's manual", show_english),
            ("A CNN learns clothes from 3,000 pictures", show_images),
        ]
        for title, part in parts:
            _title(title)
            part(client, proof)
        _title("Where all this lies")
        show_rows(client, process.database, proof)
    code = process.stop()
    proof.expect(code == 0, f"SIGTERM: the service drained and ended with {code}")


def _title(text: str) -> None:
    output.results.print(f"\n[bold]── {text} ──[/]")


def _conclusion(proof: Proof, *, seconds: float) -> int:
    output.results.print()
    if not proof.failures:
        output.results.print(
            f"[bold green]Everything worked[/]: {proof.count} checks in {seconds:.0f} s."
        )
        return 0
    for failure in proof.failures:
        output.print_error(failure)
    output.results.print(f"[bold red]{len(proof.failures)} failures[/] in {seconds:.0f} s.")
    return 1


def _leave(number: int, _frame: FrameType | None) -> None:
    """End as Ctrl-C does, so that the service is stopped and the folder removed."""
    sys.exit(128 + number)
