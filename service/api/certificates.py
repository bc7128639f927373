"""`/v1/jobs/{id}/certificate`: by which states a run went, in a chain of hashes."""

from fastapi import APIRouter

from service.api.parts import DatabaseOf, JobIdPath
from service.api.problems import problem_responses
from service.domain.certificates import Certificate
from service.store import certificates as certificate_store

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])


@router.get("/{job_id}/certificate", responses=problem_responses(404))
def get_certificate(job_id: JobIdPath, database: DatabaseOf) -> Certificate:
    """Read what fixed a run, where it was computed, and the hashes of its states so far.

    Runs of the same request end with the same `sha256`, also when they were killed in between.
    """
    with database.read() as session:
        return certificate_store.get_certificate(session, job_id)
