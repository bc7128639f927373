"""Datasets: immutable, known by name and SHA-256; their bytes are blobs."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from service.domain.datasets import (
    Dataset,
    DatasetFacts,
    DatasetFile,
    DatasetList,
    Facts,
    NewDataset,
)
from service.store import blobs, expected, paging
from service.store.engine import upsert
from service.store.errors import (
    DatasetBuiltIn,
    DatasetInUse,
    DatasetNameTaken,
    DatasetNotFound,
)
from service.store.ids import new_id
from service.store.job_reads import dataset_in_use
from service.store.tables import DatasetFileRow, DatasetRow

_FACTS: TypeAdapter[Facts] = TypeAdapter(Facts)
KNOWN_NAMES = 1000


def add_dataset(session: Session, new: NewDataset, *, now: datetime) -> tuple[Dataset, bool]:
    """Store a dataset; its files are blobs already, held for it. Return it and whether it is new.

    The same bytes and options under the name are the dataset that exists. Raises DatasetNameTaken.
    """
    created = _insert(session, new, now)
    blobs.unhold(session, [file.sha256 for file in new.files])
    return _settle(session, new), created


def announce_dataset(session: Session, new: NewDataset, *, now: datetime) -> Dataset:
    """Store a dataset whose bytes are still to come; its files are known by hash and size.

    Raises DatasetNameTaken.
    """
    expected.expect(session, {file.sha256: file.bytes for file in new.files})
    _insert(session, new, now)
    return _settle(session, new)


def _insert(session: Session, new: NewDataset, now: datetime) -> bool:
    """Insert the dataset with its files, unless the name exists; tell whether it was new."""
    dataset_id = new_id("ds")
    statement = upsert(session, DatasetRow).values(
        id=dataset_id,
        name=new.name,
        sha256=new.sha256,
        options=new.options,
        facts=new.facts.model_dump(mode="json"),
        findings=[finding.model_dump(mode="json") for finding in new.findings],
        source=new.source,
        licence=new.licence,
        built_in=new.built_in,
        created_at=now,
    )
    inserted = statement.on_conflict_do_nothing(index_elements=["name"]).returning(DatasetRow.id)
    if session.scalars(inserted).first() is None:
        return False
    session.execute(sa.insert(DatasetFileRow), _file_rows(dataset_id, new.files))
    return True


def _settle(session: Session, new: NewDataset) -> Dataset:
    """Return what is stored under the name now. Raises DatasetNameTaken if it is another one."""
    blobs.release(session, [file.sha256 for file in new.files])  # what no row refers to
    dataset = get_dataset(session, new.name)
    if dataset.sha256 != new.sha256:
        raise DatasetNameTaken(new.name)
    return dataset


def exists(session: Session, name: str) -> bool:
    """Tell whether a dataset has this name."""
    return _find(session, DatasetRow.name == name) is not None


def find_sha256(session: Session, name: str) -> str | None:
    """Return the hash of the dataset of this name, if there is one."""
    return session.scalar(sa.select(DatasetRow.sha256).where(DatasetRow.name == name))


def get_dataset(session: Session, name: str) -> Dataset:
    """Read a dataset. Raises DatasetNotFound, which names what is known."""
    row = _find(session, DatasetRow.name == name)
    if row is None:
        raise _not_found(session, name)
    return _to_dataset(row, *_files_and_missing(session, row.id))


def get_facts(session: Session, name: str) -> DatasetFacts:
    """Read what a job needs to know of the dataset of that name. Raises DatasetNotFound."""
    row = _find(session, DatasetRow.name == name)
    if row is None:
        raise _not_found(session, name)
    return _to_facts(row, _files(session, [row.id])[row.id])


def get_facts_by_id(session: Session, dataset_id: str) -> DatasetFacts:
    """Read the facts of exactly the dataset that a job was accepted with.

    Raises DatasetNotFound: by name another one may stand there now.
    """
    row = _find(session, DatasetRow.id == dataset_id)
    if row is None:
        raise _not_found(session, dataset_id)
    return _to_facts(row, _files(session, [row.id])[row.id])


def list_datasets(session: Session, *, limit: int = 20, after: str | None = None) -> DatasetList:
    """List datasets, newest first. Raises UnknownCursor."""
    rows, ends = paging.page(
        session, sa.select(DatasetRow), id_column=DatasetRow.id, limit=limit, after=after
    )
    files = _files(session, [row.id for row in rows])
    shas = [file.sha256 for of_one in files.values() for file in of_one]
    missing = expected.missing(session, shas)
    datasets = [_to_dataset(row, files[row.id], missing) for row in rows]
    return DatasetList(data=datasets, **ends._asdict())


def list_missing(session: Session, dataset_id: str) -> list[DatasetFile]:
    """List the files of a dataset whose bytes are still to come."""
    files, missing = _files_and_missing(session, dataset_id)
    return [file for file in files if file.sha256 in missing]


def delete_dataset(session: Session, name: str) -> None:
    """Delete a dataset; bytes nobody else refers to go too.

    Raises DatasetNotFound, DatasetBuiltIn, and DatasetInUse while a job needs it.
    """
    # The lock stops jobs from being accepted with it; only then it is certain that none was.
    locked = sa.select(DatasetRow).where(DatasetRow.name == name).with_for_update()
    row = session.scalars(locked).one_or_none()
    if row is None:
        raise _not_found(session, name)
    if row.built_in:
        raise DatasetBuiltIn(name)
    if dataset_in_use(session, row.id):
        raise DatasetInUse(name)
    shas = [file.sha256 for file in _files(session, [row.id])[row.id]]
    session.execute(sa.delete(DatasetRow).where(DatasetRow.id == row.id))
    blobs.release(session, shas)


def _find(session: Session, condition: sa.ColumnElement[bool]) -> DatasetRow | None:
    return session.scalars(sa.select(DatasetRow).where(condition)).one_or_none()


def _not_found(session: Session, name: str) -> DatasetNotFound:
    known = session.scalars(sa.select(DatasetRow.name).limit(KNOWN_NAMES)).all()
    return DatasetNotFound(name, known)


def _file_rows(dataset_id: str, files: Sequence[DatasetFile]) -> list[dict[str, object]]:
    return [
        {"dataset_id": dataset_id, "position": position, **file.model_dump()}
        for position, file in enumerate(files)
    ]


def _files(session: Session, dataset_ids: Sequence[str]) -> Mapping[str, list[DatasetFile]]:
    files: dict[str, list[DatasetFile]] = {dataset_id: [] for dataset_id in dataset_ids}
    statement = sa.select(DatasetFileRow).where(DatasetFileRow.dataset_id.in_(dataset_ids))
    for row in session.scalars(statement.order_by(DatasetFileRow.position)):
        file = DatasetFile(role=row.role, sha256=row.sha256, bytes=row.bytes)
        files[row.dataset_id].append(file)
    return files


def _files_and_missing(session: Session, dataset_id: str) -> tuple[list[DatasetFile], set[str]]:
    files = _files(session, [dataset_id])[dataset_id]
    return files, expected.missing(session, [file.sha256 for file in files])


def _to_facts(row: DatasetRow, files: list[DatasetFile]) -> DatasetFacts:
    return DatasetFacts(
        id=row.id,
        name=row.name,
        sha256=row.sha256,
        facts=_FACTS.validate_python(row.facts),
        files=files,
    )


def _to_dataset(row: DatasetRow, files: list[DatasetFile], missing: set[str]) -> Dataset:
    facts = _FACTS.validate_python(row.facts)
    return Dataset(
        id=row.id,
        name=row.name,
        type=facts.type,
        sha256=row.sha256,
        bytes=sum(file.bytes for file in files),
        facts=facts,
        files=files,
        options=row.options,
        findings=row.findings,
        source=row.source,
        licence=row.licence,
        built_in=row.built_in,
        downloaded=not any(file.sha256 in missing for file in files),
        created_at=row.created_at,
    )
