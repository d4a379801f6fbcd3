"""Short ways to write resolved resources in tests."""

from __future__ import annotations

from protocol.canonical import Json
from state_engine.model import ResolvedResource, ResolvedTrigger, ResourceKey


def resource(
    kind: str,
    identity: str,
    spec: dict[str, Json],
    *,
    id: str | None = None,  # noqa: A002 - the field's own name
    depends_on: tuple[ResolvedResource, ...] = (),
    rerun_on: tuple[ResolvedResource, ...] = (),
    sensitive: tuple[str, ...] = (),
    trusted: bool = True,
    module: str = "base",
) -> ResolvedResource:
    """Return a resource; `rerun_on` also makes the dependency edges, as resolving does."""
    sources = tuple(other.key for other in rerun_on)
    edges: tuple[ResourceKey, ...] = (*(other.key for other in depends_on), *sources)
    triggers = (ResolvedTrigger("rerun", sources),) if sources else ()
    return ResolvedResource(
        module, kind, identity, spec, id, None, edges, triggers, sensitive, trusted
    )


def file(path: str, content: str | None = None, **fields: str) -> dict[str, Json]:
    """Return the specification of a `file-unix`."""
    spec: dict[str, Json] = {"path": path, **fields}
    if content is not None:
        spec["content"] = content
    return spec


def a_file(
    path: str,
    content: str | None = "x\n",
    *,
    id: str | None = None,  # noqa: A002 - the field's own name
    depends_on: tuple[ResolvedResource, ...] = (),
    sensitive: tuple[str, ...] = (),
    module: str = "base",
    **fields: str,
) -> ResolvedResource:
    """Return a `file-unix`."""
    spec = file(path, content, **fields)
    return resource(
        "file-unix",
        path,
        spec,
        id=id,
        depends_on=depends_on,
        sensitive=sensitive,
        module=module,
    )


def a_directory(
    path: str, *, depends_on: tuple[ResolvedResource, ...] = (), **fields: str
) -> ResolvedResource:
    """Return a `directory-unix`."""
    return resource("directory-unix", path, {"path": path, **fields}, depends_on=depends_on)


def a_script(
    name: str,
    *,
    depends_on: tuple[ResolvedResource, ...] = (),
    rerun_on: tuple[ResolvedResource, ...] = (),
    trusted: bool = True,
    sensitive: tuple[str, ...] = (),
    **fields: Json,
) -> ResolvedResource:
    """Return a `script` that runs with sh; its body is `<name> apply` unless given."""
    spec: dict[str, Json] = {"program": "sh", "apply": f"{name} apply", **fields}
    if rerun_on:
        spec["rerun_on"] = [other.id or other.identity for other in rerun_on]
    return resource(
        "script",
        name,
        spec,
        id=name,
        depends_on=depends_on,
        rerun_on=rerun_on,
        sensitive=sensitive,
        trusted=trusted,
    )
