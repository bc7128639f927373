"""Bodies as the service sends them."""

from typing import Any

MOMENT = "2026-01-02T03:04:05.000006Z"


def a_job(*, status: str = "queued", **fields: Any) -> dict[str, Any]:
    """A job, freshly accepted unless told otherwise."""
    training = {
        "epochs": 1,
        "max_steps": None,
        "batch_size": 32,
        "seed": 0,
        "device": "auto",
        "precision": "float32",
        "gradient_clip": None,
        "early_stopping": None,
        "checkpoint": {"every_steps": None, "keep_best": 1, "keep_latest": 1, "keep_periodic": 20},
        "max_seconds": None,
        "best_metric": "val_loss",
    }
    spec: dict[str, Any] = {
        "model": None,
        "task": "next_word",
        "dataset": {"name": "eating", "id": "ds_1", "type": "text", "sha256": "0", "options": {}},
        "architecture": {"type": "rnn"},
        "optimizer": {"type": "adam"},
        "schedule": {"type": "constant"},
        "training": training,
    }
    return {
        "id": "job_1",
        "object": "job",
        "kind": "train",
        "client_id": None,
        "status": status,
        "status_reason": None,
        "progress": {"epoch": 0, "epochs": 1, "step": 0, "steps": 10, "percent": 0.0},
        "queue_position": None,
        "priority": 0,
        "attempt": 0,
        "error": None,
        "result": None,
        "run": None,
        "parent_job": None,
        "created_at": MOMENT,
        "started_at": None,
        "ended_at": None,
        "updated_at": MOMENT,
        "spec": spec,
        "metadata": {},
        **fields,
    }


def a_prediction() -> dict[str, Any]:
    """An answer of `/predict` without candidates."""
    timings = {"queue_ms": 0.0, "model_ms": 1.0, "total_ms": 1.0, "batch_size": 1}
    return {
        "model": "eating",
        "version": 1,
        "checkpoint": "ckpt_1",
        "task": "next_word",
        "predictions": [{"candidates": []}],
        "timings": timings,
    }


def an_empty_list() -> dict[str, Any]:
    """A page with nothing on it."""
    return {"data": [], "first_id": None, "last_id": None, "has_more": False}
