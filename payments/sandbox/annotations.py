"""Stripe's API description, read out of the type annotations of Stripe's own library.

The library is generated from Stripe's OpenAPI specification: `stripe.params.…` are the requests, the resource classes
the answers. A name that only exists while type checking counts as anything.
"""

import inspect
import re
import types
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import cache
from importlib import import_module
from typing import Any, ForwardRef, Literal, NotRequired, Required, Union, get_args, get_origin

from payments.sandbox.errors import ApiError

ANYTHING = Any


@cache
def request_class(dotted: str) -> Any:
    """`checkout.SessionCreateParams` → the class in `stripe.params.checkout` that describes that request."""
    folder, _, name = dotted.rpartition(".")
    return getattr(import_module(f"stripe.params.{folder}" if folder else "stripe.params"), name)


def check_request(dotted: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters with numbers and truth values read from their text; raises ApiError as Stripe would."""
    return _check_fields(request_class(dotted), params, "")


def answer_problems(resource: Any, body: Any, path: str = "") -> list[str]:
    """What of an answer does not fit the resource's class: fields unknown, missing or of the wrong type."""
    if not isinstance(body, dict):
        return [f"{path} is no object"]
    known = _fields(resource)
    problems = [f"{path}.{name} is unknown" for name in body if name not in known]
    for name, annotation in known.items():
        if name in body:
            problems += _answer_value(annotation, body[name], f"{path}.{name}", resource)
        elif name != "OBJECT_NAME" and not _may_be_absent(annotation):
            problems.append(f"{path}.{name} is missing")
    return problems


def _fields(cls: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for base in reversed(getattr(cls, "__mro__", (cls,))):
        if base.__module__.startswith("stripe.") and not base.__name__.startswith(("StripeObject", "RequestOptions")):
            found |= {name: _resolve(value, cls) for name, value in inspect.get_annotations(base).items()}
    return {name: value for name, value in found.items() if not name.startswith("_")}


@cache
def _request_fields(cls: Any) -> tuple[dict[str, Any], frozenset[str]]:
    """A request's fields, and which of them are required; options of the library itself are no parameters."""
    options = set(import_module("stripe._request_options").RequestOptions.__annotations__)
    fields = {name: _resolve(value, cls) for name, value in cls.__annotations__.items() if name not in options}
    required = frozenset(name for name, value in fields.items() if get_origin(value) is not NotRequired)
    return fields, required


def _check_fields(cls: Any, params: Mapping[str, Any], path: str) -> dict[str, Any]:
    fields, required = _request_fields(cls)
    for name in params:
        if name not in fields:
            raise ApiError(
                f"Received unknown parameter: {_at(path, name)}", code="parameter_unknown", param=_at(path, name)
            )
    for name in sorted(required - set(params)):
        raise ApiError(f"Missing required param: {_at(path, name)}.", code="parameter_missing", param=_at(path, name))
    return {name: _check_value(fields[name], value, _at(path, name), cls) for name, value in params.items()}


def _check_value(annotation: Any, value: Any, path: str, owner: Any) -> Any:  # noqa: PLR0911 - one answer per kind
    kind = _resolve(annotation, owner)
    origin = get_origin(kind)
    if kind is ANYTHING:
        return value
    if origin in (NotRequired, Required):
        return _check_value(get_args(kind)[0], value, path, owner)
    if origin is Union or isinstance(kind, types.UnionType):
        return _check_union(get_args(kind), value, path, owner)
    if origin is list:
        if not isinstance(value, list):
            raise ApiError("Invalid array", param=path)
        return [_check_value(get_args(kind)[0], one, f"{path}[{i}]", owner) for i, one in enumerate(value)]
    if origin is dict or getattr(origin, "__name__", "") == "UntypedStripeObject":
        return _check_mapping(value, path)
    if hasattr(kind, "__annotations__") and hasattr(kind, "__total__"):
        if not isinstance(value, Mapping):
            raise ApiError("Invalid object", param=path)
        return _check_fields(kind, value, path)
    return _check_scalar(kind, origin, value, path)


def _check_union(members: tuple[Any, ...], value: Any, path: str, owner: Any) -> Any:
    """Stripe writes an enumeration as `Literal[…] | str`: the text stands for future values and is not taken here."""
    options = [member for member in (_resolve(one, owner) for one in members) if member is not type(None)]
    if any(get_origin(option) is Literal for option in options) and isinstance(value, str):
        options = [option for option in options if option is not str]
    refusal: ApiError | None = None
    for option in options:
        try:
            return _check_value(option, value, path, owner)
        except ApiError as error:
            refusal = refusal or error
    raise refusal or ApiError("Invalid value", param=path)


def _check_mapping(value: Any, path: str) -> dict[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(one, str) for one in value.values()):
        raise ApiError("Invalid object: metadata holds text under names.", param=path)
    return dict(value)


def _check_scalar(kind: Any, origin: Any, value: Any, path: str) -> Any:
    if origin is Literal:
        if value not in get_args(kind):
            wanted = ", ".join(map(str, get_args(kind)))
            raise ApiError(f"Invalid {path}: must be one of {wanted}", param=path)
        return value
    if not isinstance(value, str):
        raise ApiError(f"Invalid {getattr(kind, '__name__', 'value')}", param=path)
    if kind is bool:
        if value not in {"true", "false"}:
            raise ApiError(f"Invalid boolean: {value}", code="parameter_invalid_boolean", param=path)
        return value == "true"
    if kind is int:
        if re.fullmatch(r"-?[0-9]{1,18}", value, re.ASCII) is None:
            raise ApiError(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
        return int(value)
    if kind in {Decimal, float}:
        try:
            return str(Decimal(value))
        except InvalidOperation:
            raise ApiError(f"Invalid decimal: {value}", param=path) from None
    return value


def _answer_value(annotation: Any, value: Any, path: str, owner: Any) -> list[str]:  # noqa: PLR0911 - one per kind
    kind = _resolve(annotation, owner)
    origin = get_origin(kind)
    if kind is ANYTHING:
        return []
    if origin in (NotRequired, Required):
        return _answer_value(get_args(kind)[0], value, path, owner)
    if origin is Union or isinstance(kind, types.UnionType):
        tried = [_answer_value(member, value, path, owner) for member in get_args(kind)]
        return min(tried, key=len)
    if kind is type(None):
        return [] if value is None else [f"{path} is not null"]
    if origin is list:
        if not isinstance(value, list):
            return [f"{path} is no list"]
        return [p for i, one in enumerate(value) for p in _answer_value(get_args(kind)[0], one, f"{path}[{i}]", owner)]
    if origin is Literal:
        return [] if value in get_args(kind) else [f"{path} is {value!r}"]
    if kind in {int, str, bool}:
        return [] if type(value) is kind else [f"{path} is {value!r}, not {kind.__name__}"]
    if isinstance(kind, type) and kind.__module__.startswith("stripe.") and _fields(kind):
        return answer_problems(kind, value, path)
    return []


def _may_be_absent(annotation: Any) -> bool:
    return get_origin(annotation) is NotRequired or type(None) in get_args(annotation) or annotation is ANYTHING


def _resolve(annotation: Any, owner: Any) -> Any:
    """A name written as text, looked up where the class stands; unknown names count as anything."""
    if isinstance(annotation, ForwardRef):
        annotation = annotation.__forward_arg__
    if not isinstance(annotation, str):
        return annotation
    names = dict(vars(import_module(owner.__module__))) | dict(vars(owner))
    try:
        return eval(annotation, names)  # noqa: S307 - annotations of an installed library, never anybody's input
    except (NameError, AttributeError, TypeError):
        return ANYTHING


def _at(path: str, name: str) -> str:
    return f"{path}[{name}]" if path else name
