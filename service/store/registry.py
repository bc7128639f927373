"""What people do with models: describe them, move an alias, delete what is not needed."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from service.domain.models import Alias, Model, ModelChange
from service.store import blobs
from service.store.engine import upsert
from service.store.errors import AliasNotFound, ModelInUse
from service.store.models import find_version, get_model, not_found
from service.store.tables import ModelAliasRow, ModelNameRow, ModelTagRow, ModelVersionRow


def change_model(session: Session, name: str, change: ModelChange) -> Model:
    """Set what the change gives; the rest stays. Raises ModelNotFound."""
    _lock(session, name)
    get_model(session, name)
    given = change.model_fields_set
    if "description" in given:
        described = sa.update(ModelNameRow).where(ModelNameRow.name == name)
        session.execute(described.values(description=change.description))
    if "tags" in given:
        session.execute(sa.delete(ModelTagRow).where(ModelTagRow.name == name))
        tags = [{"name": name, "tag": tag} for tag in dict.fromkeys(change.tags or [])]
        if tags:
            session.execute(upsert(session, ModelTagRow).values(tags).on_conflict_do_nothing())
    session.expire_all()
    return get_model(session, name)


def set_alias(session: Session, name: str, alias: str, version: int, *, now: datetime) -> Alias:
    """Let an alias stand for a version from now on. Raises ModelNotFound for an unknown one."""
    reference = f"{name}@{version}"
    row = find_version(session, reference)
    if row is None:
        raise not_found(session, reference)
    values = {"name": name, "alias": alias, "version_id": row.id, "changed_at": now}
    moved = {"version_id": row.id, "changed_at": now}
    statement = upsert(session, ModelAliasRow).values(values)
    try:
        with session.begin_nested():
            session.execute(
                statement.on_conflict_do_update(index_elements=["name", "alias"], set_=moved)
            )
    except IntegrityError as error:  # somebody deleted the version at this very moment
        raise not_found(session, reference) from error
    return Alias(model=name, alias=alias, version=version, model_id=row.id, changed_at=now)


def delete_alias(session: Session, name: str, alias: str) -> None:
    """Forget an alias; the version stays. Raises ModelNotFound and AliasNotFound."""
    get_model(session, name)
    gone = sa.delete(ModelAliasRow).where(ModelAliasRow.name == name, ModelAliasRow.alias == alias)
    if session.scalars(gone.returning(ModelAliasRow.alias)).one_or_none() is None:
        raise AliasNotFound(name, alias)


def delete_model(session: Session, reference: str) -> None:
    """Delete one version (`name@3`, `mdl_…`), or all of a name; bytes nobody needs go too.

    Raises ModelNotFound, and ModelInUse while an alias stands for one of them. The name goes on
    counting its versions: what was `eating@1` is never somebody else.
    """
    one = "@" in reference or reference.startswith("mdl_")
    _lock(session, reference.partition("@")[0])
    rows = _one(session, reference) if one else _all(session, reference)
    if not rows:
        raise not_found(session, reference)
    ids = [row.id for row in rows]
    used = sa.select(ModelAliasRow.alias).where(ModelAliasRow.version_id.in_(ids))
    if aliases := session.scalars(used.order_by(ModelAliasRow.alias)).all():
        raise ModelInUse(reference, aliases)
    shas = [sha for row in rows for sha in (row.weights_sha256, row.preparation_sha256)]
    deleted = sa.delete(ModelVersionRow).where(ModelVersionRow.id.in_(ids))
    try:
        with session.begin_nested():
            session.execute(deleted.execution_options(synchronize_session=False))
    except IntegrityError as error:  # an alias came at this very moment
        raise ModelInUse(reference, []) from error
    if not one:
        described = sa.update(ModelNameRow).where(ModelNameRow.name == reference)
        session.execute(described.values(description=None))
        session.execute(sa.delete(ModelTagRow).where(ModelTagRow.name == reference))
    blobs.release(session, shas)


def _lock(session: Session, name: str) -> None:
    """Let nobody else change a model or add a version until this commits.

    SQLite drops FOR UPDATE and needs none: it has one writer at a time.
    """
    row = sa.select(ModelNameRow.name).where(ModelNameRow.name == name)
    session.execute(row.with_for_update(key_share=True)).all()


def _one(session: Session, reference: str) -> Sequence[ModelVersionRow]:
    row = find_version(session, reference)
    return [] if row is None else [row]


def _all(session: Session, name: str) -> Sequence[ModelVersionRow]:
    return session.scalars(sa.select(ModelVersionRow).where(ModelVersionRow.name == name)).all()
