"""What a request accepts: `Accept` with its weights (RFC 9110, section 12.5.1)."""


def prefers(accept: str, media_type: str, *, over: str) -> bool:
    """Tell whether `media_type` is asked for by name, and liked more than `over`."""
    weights = dict(_weighted(part) for part in accept.split(","))
    kind = over.partition("/")[0]
    other = weights.get(over, weights.get(f"{kind}/*", weights.get("*/*", 0.0)))
    wanted = weights.get(media_type, 0.0)
    named_first = wanted == other and over not in weights
    return wanted > 0 and (wanted > other or named_first)


def _weighted(part: str) -> tuple[str, float]:
    media_type, *parameters = (each.strip().lower() for each in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media_type, float(value)
            except ValueError:
                return media_type, 0.0
    return media_type, 1.0
