"""What jobs can be made of: `/v1/architectures`, `/v1/optimizers`, `/v1/schedules`, `/v1/tasks`."""

from fastapi import APIRouter

from service.api.parts import PartsOf
from service.domain.components import ComponentList

router = APIRouter(prefix="/v1", tags=["components"])


@router.get("/architectures")
def list_architectures(parts: PartsOf) -> ComponentList:
    """List the installed architectures with their options, bounds and defaults."""
    return ComponentList(data=parts.catalogue.infos("architecture"))


@router.get("/optimizers")
def list_optimizers(parts: PartsOf) -> ComponentList:
    """List the installed optimizers with their options, bounds and defaults."""
    return ComponentList(data=parts.catalogue.infos("optimizer"))


@router.get("/schedules")
def list_schedules(parts: PartsOf) -> ComponentList:
    """List the learning-rate schedules with their options, bounds and defaults."""
    return ComponentList(data=parts.catalogue.infos("schedule"))


@router.get("/tasks")
def list_tasks(parts: PartsOf) -> ComponentList:
    """List what can be learned, with the options that a job's `dataset` may have for it."""
    return ComponentList(data=parts.catalogue.infos("task"))
