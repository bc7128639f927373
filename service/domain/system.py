"""What the database holds, as `/v1/system` and the demonstration show it."""

from service.domain.base import Outgoing


class TableFacts(Outgoing):
    """How much there is of one kind of thing."""

    rows: int
    bytes: int


class DatabaseFacts(Outgoing):
    """Rows and bytes per kind; things that share bytes count them each."""

    kind: str
    bytes: int
    tables: dict[str, TableFacts]
