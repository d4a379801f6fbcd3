"""The API document as pages: JSON for programs, and plain HTML for people, without any script.

Everything is served from here, so it can be read where there is no way to the internet.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from typing import cast

from litestar import MediaType, Request
from litestar.datastructures import State
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "code{background:#f2f2f2;padding:.1em .3em}h3{margin-bottom:0}"
    "table{border-collapse:collapse}td{padding:.1rem .8rem .1rem 0;vertical-align:top}"
)
_METHODS = ("get", "post", "put", "patch", "delete")


class BrowsePlugin(OpenAPIRenderPlugin):
    """Serves the list of operations as one page of HTML."""

    def render(
        self, request: Request[object, object, State], openapi_schema: Mapping[str, object]
    ) -> bytes:
        """Return the page."""
        del request
        return page(openapi_schema).encode()


def plugins() -> tuple[OpenAPIRenderPlugin, ...]:
    """Return what serves the document, as JSON and as a page."""
    return (
        JsonRenderPlugin(path="/openapi.json", media_type=MediaType.JSON),
        BrowsePlugin(path=("/docs", "/")),
    )


def page(document: Mapping[str, object]) -> str:
    """Return the page for an API document."""
    info = _mapping(document.get("info"))
    title = html.escape(str(info.get("title")))
    parts = [
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>',
        f"<style>{_STYLE}</style></head><body><h1>{title} {html.escape(str(info.get('version')))}",
        f"</h1><p>{html.escape(str(info.get('description') or ''))}</p>",
        '<p><a href="/schema/openapi.json">openapi.json</a></p>',
    ]
    by_tag: dict[str, list[str]] = {}
    for path, item in _mapping(document.get("paths")).items():
        operations = _mapping(item)
        for method in _METHODS:
            if method in operations:
                operation = _mapping(operations[method])
                tag = str(next(iter(_list(operation.get("tags"))), "other"))
                by_tag.setdefault(tag, []).append(_operation(method, str(path), operation))
    for tag, entries in by_tag.items():
        parts.append(f"<h2>{html.escape(tag)}</h2>{''.join(entries)}")
    return "".join((*parts, "</body></html>"))


def _operation(method: str, path: str, operation: Mapping[str, object]) -> str:
    rows: list[str] = []
    for parameter in _mappings(operation.get("parameters")):
        place, name = str(parameter.get("in")), str(parameter.get("name"))
        rows.append(_row(f"{place} {name}", str(parameter.get("description") or "")))
    body = _schema(_mapping(operation.get("requestBody")))
    if body:
        rows.append(_row("body", body))
    for status, answer in _mapping(operation.get("responses")).items():
        given = _mapping(answer)
        described = str(given.get("description") or "")
        rows.append(_row(str(status), " · ".join(filter(None, (_schema(given), described)))))
    summary = html.escape(str(operation.get("summary") or ""))
    description = html.escape(str(operation.get("description") or ""))
    head = f"<h3><code>{method.upper()} {html.escape(path)}</code></h3>"
    return f"{head}<p><b>{summary}.</b> {description}</p><table>{''.join(rows)}</table>"


def _schema(holder: Mapping[str, object]) -> str:
    content = _mapping(_mapping(holder.get("content")).get("application/json"))
    schema = _mapping(content.get("schema"))
    items = _mapping(schema.get("items"))
    reference = schema.get("$ref") or items.get("$ref") or ""
    name = str(reference).rpartition("/")[2]
    return f"[{name}]" if items and name else name


def _row(name: str, text: str) -> str:
    return f"<tr><td><code>{html.escape(name)}</code></td><td>{html.escape(text)}</td></tr>"


def _mapping(value: object) -> Mapping[str, object]:
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _mappings(value: object) -> Iterable[Mapping[str, object]]:
    return [_mapping(item) for item in _list(value)]


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []
