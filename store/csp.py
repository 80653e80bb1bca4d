"""The Content-Security-Policy of every page: the strict one of the settings, loosened for the admin alone."""

from csp.middleware import CSPMiddleware
from django.http import HttpRequest
from django.http.response import HttpResponseBase

# unfold's pages carry inline styles and scripts, and Alpine evaluates its attributes
FOR_ADMIN = {
    "script-src": ["'unsafe-inline'", "'unsafe-eval'"],
    "style-src": ["'unsafe-inline'"],
}


class PolicyMiddleware(CSPMiddleware):
    """Nothing of the shop may be loaded from, or sent to, anybody else; staff pages may also use inline code."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if request.path.startswith("/admin/"):
            response._csp_update = FOR_ADMIN  # type: ignore[attr-defined]  # noqa: SLF001 - as its decorators do
        policed: HttpResponseBase = super().process_response(request, response)
        return policed
