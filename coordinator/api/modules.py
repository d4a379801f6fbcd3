"""/modules: files of desired state."""

from __future__ import annotations

from litestar import delete, get, post
from litestar.params import FromPath, JSONBody

from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import modules
from protocol import api

TAGS = ["modules"]


@get(
    "/modules",
    tags=TAGS,
    summary="List modules",
    responses=documented("bad_request", "unauthorized"),
)
async def list_modules(call: Caller) -> tuple[api.Module, ...]:
    """Return all modules, by name, without their text."""
    return await call.read(modules.listing)


@post(
    "/modules",
    tags=TAGS,
    summary="Upload a module",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large"
    ),
)
async def upload_module(call: Caller, data: JSONBody[api.UploadModuleRequest]) -> api.Module:
    """Check and store a module; problems come as `file:line:column: severity: text`."""
    actor = call.actor
    # Checking a large file takes a while: in a reader's thread it holds up no other change.
    examined = await call.read(lambda tx: modules.examine(tx, data))
    return await call.create(api.Module, lambda tx: modules.store(tx, actor, examined))


@get(
    "/modules/{name:str}",
    tags=TAGS,
    summary="Show a module",
    responses=documented("bad_request", "unauthorized", "not_found"),
)
async def show_module(call: Caller, name: FromPath[str]) -> api.ModuleDetail:
    """Return one module with its text."""
    return await call.read(lambda tx: modules.get(tx, name))


@delete(
    "/modules/{name:str}",
    tags=TAGS,
    summary="Delete a module",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def delete_module(call: Caller, name: FromPath[str]) -> None:
    """Take the name away; what hosts applied stays applied."""
    actor = call.actor
    await call.change(lambda tx: modules.delete(tx, actor, name))


routes = (list_modules, upload_module, show_module, delete_module)
