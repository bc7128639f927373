"""API keys: what the service keeps of them, and what each may do."""

import hashlib

import pytest

from service.domain.keys import SCOPES, ApiKey, digest, find_key, parse_keys


def test_a_key_may_be_given_plain_or_as_its_hash() -> None:
    hashed = hashlib.sha256(b"other").hexdigest()

    plain, kept = parse_keys(f"ann:train:secret, bob:train:sha256:{hashed}")

    assert (plain.digest, kept.digest) == (digest("secret"), digest("other"))
    assert (plain.name, kept.name) == ("ann", "bob")


def test_a_key_may_hold_colons() -> None:
    [key] = parse_keys("ann:admin:a:b:c")

    assert find_key([key], "a:b:c") == key


def test_a_scope_includes_those_before_it() -> None:
    table = {
        held: [asked for asked in SCOPES.values() if ApiKey("x", held, b"").may(asked)]
        for held in SCOPES.values()
    }

    assert table == {
        "predict": ["predict"],
        "train": ["predict", "train"],
        "admin": ["predict", "train", "admin"],
    }


@pytest.mark.parametrize("given", ["", "secre", "secret ", "SECRET", "sha256:x", "\ud55c"])
def test_only_the_very_key_is_found(given: str) -> None:
    keys = parse_keys("ann:train:secret,bob:predict:other")

    assert find_key(keys, given) is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("secret", "name:scope:key"),
        ("ann:train", "name:scope:key"),
        ("ann:train:", "name:scope:key"),
        ("ann:root:secret", "predict, train, admin"),
        ("a b:train:secret", "letters"),
        (":train:secret", "letters"),
        ("ann:train:sha256:abc", "64 hexadecimal"),
        ("ann:train:se cret", "without spaces"),
        ("ann:train:비밀", "ASCII"),
        ("ann:train:a,ann:predict:b", "name of its own"),
        ("ann:train:secret,", "entry 2"),
        ("ann:train:secret,bob:admin:secret", "key of its own"),
        (f"ann:admin:sha256:{hashlib.sha256(b'').hexdigest()}", "hash of nothing"),
    ],
)
def test_what_cannot_be_read_is_said_without_the_key(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words) as raised:
        parse_keys(text)

    assert "secret" not in str(raised.value)
