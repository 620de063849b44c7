"""The page at ``/docs``: Swagger UI, nothing of it from elsewhere. Imports nothing of Hotplane."""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

__all__ = ["docs_routes"]

_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""No script and no style stands in the page itself; the images of the style sheet are data: URLs."""
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",
}
_ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "initialize.js": "text/javascript",
}


def docs_routes() -> list[Route]:
    """Return the routes of the page, of its assets, and of the document that it shows."""
    return [
        Route("/docs", _page, methods=["GET"]),
        *(Route(f"/docs/{name}", _asset, name=name, methods=["GET"]) for name in _ASSETS),
        Route("/openapi.json", _document, methods=["GET"]),
    ]


def _page(_: Request) -> Response:
    return Response(_read("docs.html"), headers=_HEADERS, media_type="text/html")


def _asset(request: Request) -> Response:
    name = request.url.path.rpartition("/")[2]
    return Response(_read(name), headers=_HEADERS, media_type=_ASSETS[name])


def _document(request: Request) -> Response:
    return JSONResponse(request.app.openapi(), headers={"cache-control": "no-cache"})


def _read(name: str) -> bytes:
    return files("hotplane.api").joinpath("static", name).read_bytes()
