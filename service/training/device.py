"""Where a run computes, and what of that changes bits: device, threads, precision, layout.

Eager CPU training gives the same bits again on the same instruction set, thread count, memory
format and version of torch; `environment` names all of these, and every checkpoint carries them.
"""

import os
import platform
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import nn

from service.domain.environments import Environment, offers
from service.domain.jobs import RunInfo
from service.domain.requests import Computed, Device
from service.training.failures import DeviceNotAvailable

_MEMORY_FORMATS: Mapping[object, torch.memory_format] = {
    "channels_last": torch.channels_last,
    "contiguous_format": torch.contiguous_format,
}
_SMALL_PARAMETERS = 50_000  # below, two threads were never faster and at times 1.5 times slower


def available_devices() -> list[str]:
    """Name the kinds of devices that this machine can train on, the preferred first."""
    found = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    return [*(name for name, there in found.items() if there), "cpu"]


def machine_offers() -> list[str]:
    """Name what this machine offers to jobs that must go on exactly; see `domain.environments`."""
    return offers(
        torch=torch.__version__,
        cpu_capability=torch.backends.cpu.get_cpu_capability(),
        devices=[device_name(torch.device(kind)) for kind in available_devices()],
        bfloat16=has_bfloat16(torch.device(available_devices()[0])),
    )


def choose_device(choice: Device, *, before: Environment | None = None) -> torch.device:
    """Resolve `auto`, and check what was asked for. Raises DeviceNotAvailable.

    `before` is where the run was computed so far: there it goes on, if it is free to choose.
    """
    available = available_devices()
    if choice == "auto":
        same = [
            kind
            for kind in available
            if before is not None and device_name(torch.device(kind)) == before.get("device")
        ]
        return torch.device([*same, *available][0])
    if choice not in available:
        raise DeviceNotAvailable(choice)
    return torch.device(choice)


def has_bfloat16(device: torch.device) -> bool:
    """Tell whether a device multiplies in bfloat16; every CPU does, some of them slowly."""
    return device.type != "cuda" or torch.cuda.is_bf16_supported(including_emulation=False)


def choose_threads(
    model: nn.Module,
    available: int,
    *,
    free: Callable[[], int | None] | None = None,
    before: Environment | None = None,
) -> int:
    """Say with how many threads this model trains best: a small one waits more than it shares.

    As many as `before`, where there are so many; else not more than are `free`, if that is known.
    """
    threads = None if before is None else before.get("threads")
    if isinstance(threads, int) and 1 <= threads <= available:
        return threads
    if is_small(model):
        return 1
    unused = None if free is None else free()
    return available if unused is None else max(1, min(available, unused))


def is_small(model: nn.Module) -> bool:
    """Tell whether a step is mostly calls of functions, and little arithmetic."""
    return parameter_count(model) < _SMALL_PARAMETERS and not _has_convolutions(model)


def choose_memory_format(
    model: nn.Module, device: torch.device, *, before: Environment | None = None
) -> torch.memory_format:
    """Choose how images lie in memory: as `before`, else as it is quickest.

    On CPUs convolutions train 1.2 to 1.6 times faster with channels last (measured, 2 cores).
    """
    name = None if before is None else before.get("memory_format")
    if name in _MEMORY_FORMATS:
        return _MEMORY_FORMATS[name]
    if device.type == "cpu" and _has_convolutions(model):
        return torch.channels_last
    return torch.contiguous_format


def place(model: nn.Module, device: torch.device, memory_format: torch.memory_format) -> None:
    """Move a model; its optimizer goes on with the same parameters."""
    untyped: Any = model  # torch's annotation of `to` forgets memory_format
    untyped.to(device=device, memory_format=memory_format)


def make_deterministic(device: torch.device) -> None:
    """Forbid GPU kernels that give other bits each time; a CPU has none that we use."""
    if device.type != "cuda":
        return
    # cuBLAS reads this once, when it starts: with it, its workspaces no longer change the bits.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(mode=True, warn_only=True)
    torch.backends.cudnn.benchmark = False


def environment(
    device: torch.device, precision: Computed, memory_format: torch.memory_format
) -> Environment:
    """Name everything about this machine that changes the bits of a run."""
    return {
        "device": device_name(device),
        "threads": torch.get_num_threads(),
        "precision": precision,
        "memory_format": str(memory_format).removeprefix("torch."),
        "torch": torch.__version__,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
    }


def device_name(device: torch.device) -> str:
    """Name a device by what computes there: two GPUs of one kind give the same bits."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def run_info(
    device: torch.device, precision: Computed, model: nn.Module, chosen: Environment
) -> RunInfo:
    """Say what was chosen, as the job shows it."""
    return RunInfo(
        device=str(device),
        threads=torch.get_num_threads(),
        precision=precision,
        torch=torch.__version__,
        cpu=cpu_name(),
        parameters=parameter_count(model),
        environment=chosen,
    )


def parameter_count(model: nn.Module) -> int:
    """Count the numbers that training changes."""
    return sum(parameter.numel() for parameter in model.parameters())


@cache
def cpu_name() -> str:
    """Return the processor's own name where the system tells it, else its architecture."""
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _has_convolutions(model: nn.Module) -> bool:
    return any(isinstance(module, nn.Conv2d) for module in model.modules())
