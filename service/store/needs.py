"""What a worker must offer to take a job: the rows that `claims` compares with what it reports."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from service.store.engine import upsert
from service.store.tables import JobComponentRow


def require(session: Session, job_id: str, components: Iterable[str]) -> None:
    """Have the job wait for workers that offer all of these, too. Asking twice changes nothing."""
    rows = [{"job_id": job_id, "component": component} for component in components]
    if rows:
        session.execute(upsert(session, JobComponentRow).values(rows).on_conflict_do_nothing())
