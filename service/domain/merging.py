"""JSON Merge Patch (RFC 7396): objects are merged, null removes, anything else replaces."""

from typing import cast

from pydantic import JsonValue


def merge_patch(target: JsonValue, patch: JsonValue) -> JsonValue:
    """Return `target` with `patch` applied; neither is changed (RFC 7396 section 2)."""
    if not isinstance(patch, dict):
        return patch
    members = cast("dict[str, JsonValue]", patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in members.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged
