"""Evidence shows the dataset: a key that may not read datasets does not get it with an answer."""

from service.catalogue import Catalogue
from service.store.engine import Database
from tests.api.asking import Asking
from tests.api.workshop import Workshop


def test_where_there_are_keys_evidence_needs_one_that_may_read_datasets(
    database: Database,
) -> None:
    workshop = Workshop(database, Catalogue.installed())
    workshop.a_trained_job(model="guarded")
    keys = "ann:predict:ann-key,ben:train:ben-key"
    asking = Asking(database, Catalogue.installed(), api_keys=keys)
    sent = {"inputs": ["I cook"], "top_k": 2}

    for query, more in (("", {"evidence": 1}), ("?evidence=1", {})):
        statuses = [
            asking.request(
                "POST",
                f"/v1/models/guarded/predict{asked}",
                json={**sent, **also},
                headers={"X-Api-Key": key},
            ).status_code
            for key in ("ann-key", "ben-key")
            for asked, also in ((query, more), ("", {}))
        ]

        assert statuses == [403, 200, 200, 200]
