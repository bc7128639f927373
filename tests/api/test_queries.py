"""Query parameters: exactly those of the document are taken, as handlers declare them."""

import pytest
from fastapi import FastAPI

from service.catalogue import Catalogue
from service.store.engine import Database
from tests.api.asking import Asking


@pytest.fixture
def asking(sqlite_database: Database, catalogue: Catalogue) -> Asking:
    return Asking(sqlite_database, catalogue)


def test_a_refusal_names_the_parameters_that_are_documented(asking: Asking, app: FastAPI) -> None:
    for path, operations in app.openapi()["paths"].items():
        for method, operation in operations.items():
            if not path.startswith("/v1/"):
                continue
            refused = asking.request(method.upper(), f"{path.translate(PLAIN)}?☃=1").json()
            names = [
                each["name"] for each in operation.get("parameters", ()) if each["in"] == "query"
            ]
            told = f"known: {', '.join(sorted(names))}" if names else "this path takes none"
            assert refused["code"] == "unknown_parameter", (method, path)
            assert refused["detail"].endswith(f"not known here; {told}."), (method, path)


PLAIN = str.maketrans("", "", "{}")
