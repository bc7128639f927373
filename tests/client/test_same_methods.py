"""Both clients offer the same calls, each as it is defined."""

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any, get_origin

import pytest

from service.client import AsyncClient, Client, calls, component_calls, dataset_calls, model_calls
from service.client.call import Call

DEFINED = {
    name: make
    for module in (calls, component_calls, dataset_calls, model_calls)
    for name, make in inspect.getmembers(module, inspect.isfunction)
    if make.__module__ == module.__name__ and not name.startswith("_")
}


def methods(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(kind, callable)
        if not name.startswith("_")
    }


def test_both_clients_have_the_same_methods_with_the_same_signatures() -> None:
    plain, awaited = methods(Client), methods(AsyncClient)
    for name in ("follow_job", "events", "stream_text"):
        iterated, awaited_one = plain.pop(name), awaited.pop(name)
        assert iterated.parameters == awaited_one.parameters
        assert get_origin(iterated.return_annotation) is Iterator
        assert get_origin(awaited_one.return_annotation) is AsyncIterator

    assert plain == awaited


def test_both_clients_are_made_with_the_same_arguments() -> None:
    plain = inspect.signature(Client).parameters
    awaited = inspect.signature(AsyncClient).parameters

    assert [*plain] == [*awaited]
    assert {name: plain[name].default for name in plain if name != "sleep"} == {
        name: awaited[name].default for name in awaited if name != "sleep"
    }


@pytest.mark.parametrize("name", DEFINED)
@pytest.mark.parametrize("kind", [Client, AsyncClient])
def test_every_call_is_a_method_of_both_clients(kind: type, name: str) -> None:
    method = inspect.getattr_static(kind, name)
    call, sent = inspect.signature(DEFINED[name]), inspect.signature(method)

    assert [*sent.parameters.values()][1:] == [*call.parameters.values()]
    assert call.return_annotation == Call[sent.return_annotation]
    assert (method.__name__, inspect.getdoc(method)) == (name, inspect.getdoc(DEFINED[name]))


@pytest.mark.parametrize("name", methods(AsyncClient))
def test_every_method_of_the_asynchronous_client_is_to_be_awaited_or_iterated(name: str) -> None:
    method: Any = getattr(AsyncClient, name)

    assert inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method)
    assert inspect.getdoc(method) == inspect.getdoc(getattr(Client, name))
