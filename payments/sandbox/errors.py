"""Refusals in the form that Stripe gives them."""

from typing import Any


class ApiError(Exception):
    """An answer other than success: `type`, `code`, `message` and `param` as in Stripe's own errors."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        type: str = "invalid_request_error",  # noqa: A002 - Stripe's own word
        code: str = "",
        param: str = "",
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param

    def body(self) -> dict[str, Any]:
        error = {"type": self.type, "message": self.message}
        if self.code:
            error["code"] = self.code
        if self.param:
            error["param"] = self.param
        return {"error": error}


def missing(kind: str, key: str) -> ApiError:
    return ApiError(f"No such {kind}: '{key}'", status=404, code="resource_missing", param="id")
