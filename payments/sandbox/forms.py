"""Stripe's form encoding: `line_items[0][price_data][currency]=eur` and back into lists and objects."""

import re
from typing import Any
from urllib.parse import parse_qsl

from payments.sandbox.errors import ApiError

MOST_FIELDS = 2_000
_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


def decode(text: str) -> dict[str, Any]:
    """Parameters by name; a level whose names count from nought is a list. Raises ApiError for what cannot be read."""
    root: dict[str, Any] = {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=MOST_FIELDS)
    except ValueError:
        raise ApiError("The form could not be read.") from None
    for name, value in pairs:
        match = _NAME.fullmatch(name)
        if match is None:
            raise ApiError(f"Invalid parameter name: {name}", param=name)
        path = [match[1], *re.findall(r"\[([^\[\]]*)\]", match[2])]
        _put(root, path, value, name)
    return {name: _lists(value) for name, value in root.items()}


def _put(root: dict[str, Any], path: list[str], value: str, name: str) -> None:
    level = root
    for part in path[:-1]:
        level = level.setdefault(part or str(len(level)), {})
        if not isinstance(level, dict):
            raise ApiError(f"{name} is given both as text and as an object.", param=name)
    level[path[-1] or str(len(level))] = value


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    if value and list(value) == [str(i) for i in range(len(value))]:
        return [_lists(one) for one in value.values()]
    return {name: _lists(one) for name, one in value.items()}
