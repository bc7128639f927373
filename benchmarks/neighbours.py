"""Training beside a process that keeps one core busy: with how many threads?

A small `cnn` on fashion-mnist-mini, in a process of its own for each way, while another process
multiplies matrices in one thread all the time. "ours" asks how many cores are free, as a job does
when it begins. Both have the same priority; a job of the service steps back behind all others.

    python -m benchmarks.neighbours [--rounds 3]
"""

import argparse
import multiprocessing
import time
from multiprocessing.context import SpawnContext
from multiprocessing.queues import Queue

import torch

from benchmarks.measuring import Silent, built_in, print_table, resolve
from service.catalogue import Catalogue
from service.machine import cores
from service.training import device as devices
from service.training.loop import train
from service.worker.load import Load

STEPS, SETTLED = 60, 2.0
WAYS = {"one thread": 1, "a thread for each core": cores(), "ours": None}


def main() -> None:
    """Measure all ways in turns."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rounds", type=int, default=3)
    rounds = options.parse_args().rounds
    context = multiprocessing.get_context("spawn")
    speeds: dict[str, list[float]] = {name: [] for name in WAYS}
    chosen: set[int] = set()
    neighbour = context.Process(target=_busy, daemon=True)
    neighbour.start()
    try:
        time.sleep(SETTLED)
        for number in range(rounds):
            for name in WAYS if number % 2 == 0 else reversed([*WAYS]):
                threads, speed = _measured(context, WAYS[name])
                speeds[name].append(speed)
                if name == "ours":
                    chosen.add(threads)
    finally:
        neighbour.kill()
    print_table(
        f"cnn on fashion-mnist-mini beside one busy process, {cores()} cores",
        speeds,
        unit="steps/s",
        baseline="one thread",
        extra={"ours": f"took {', '.join(map(str, sorted(chosen)))}"},
    )


def _measured(context: SpawnContext, threads: int | None) -> tuple[int, float]:
    answers: Queue[tuple[int, float]] = context.Queue()
    process = context.Process(target=_train, args=(threads, answers))
    process.start()
    answer = answers.get()
    process.join()
    return answer


def _busy() -> None:
    torch.set_num_threads(1)
    matrix = torch.randn(512, 512)
    while True:
        matrix = (matrix @ matrix).clamp_(-1, 1)


def _train(threads: int | None, answers: "Queue[tuple[int, float]]") -> None:
    load = Load()
    facts, data = built_in("fashion-mnist-mini")
    training = {"max_steps": STEPS, "device": "cpu", "precision": "float32"}
    spec = resolve(facts, architecture="cnn", training=training)
    torch.set_num_threads(1)
    trainable = Catalogue.installed().build(spec, data)
    if threads is None:
        threads = devices.choose_threads(trainable.model, cores(), free=load.free_cores)
    torch.set_num_threads(threads)
    began = time.perf_counter()
    train(trainable, spec, Silent(), device=torch.device("cpu"))
    answers.put((threads, STEPS / (time.perf_counter() - began)))


if __name__ == "__main__":
    main()
