"""/secrets: values that only the hosts and the operators they are sealed to can read."""

from __future__ import annotations

from litestar import delete, get, post, put
from litestar.params import FromPath, JSONBody

from coordinator.api.calls import Caller
from coordinator.api.documented import Creating
from coordinator.api.problems import documented
from coordinator.domain import secret_views, secrets
from protocol import api_secrets

TAGS = ["secrets"]


@get(
    "/secrets",
    tags=TAGS,
    summary="List secrets",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def list_secrets(call: Caller) -> tuple[api_secrets.Secret, ...]:
    """Return what is known of all secrets, by name; never a value."""
    return await call.read(secret_views.listing)


@post(
    "/secrets",
    tags=TAGS,
    summary="Create a secret",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "conflict", "payload_too_large"
    ),
)
async def create_secret(
    call: Caller, data: JSONBody[api_secrets.CreateSecretRequest]
) -> api_secrets.Secret:
    """Store a secret that the client has sealed and signed; a plain `value` is refused."""
    actor = call.actor
    return await call.create(api_secrets.Secret, lambda tx: secrets.create(tx, actor, data))


@get(
    "/secrets/{name:str}",
    tags=TAGS,
    summary="Show a secret",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def show_secret(call: Caller, name: FromPath[str]) -> api_secrets.SecretDetail:
    """Return what is known of one secret, and which hosts it is sealed to; never its value."""
    return await call.read(lambda tx: secret_views.get(tx, name))


@put(
    "/secrets/{name:str}",
    tags=TAGS,
    summary="Change a secret",
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def replace_secret(
    call: Caller, name: FromPath[str], data: JSONBody[api_secrets.UpdateSecretRequest]
) -> api_secrets.Secret:
    """Store a new version, a newly signed end, or another description; absent fields stay."""
    actor = call.actor
    return await call.change(lambda tx: secrets.replace(tx, actor, name, data))


@delete(
    "/secrets/{name:str}",
    tags=TAGS,
    summary="Delete a secret",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def delete_secret(call: Caller, name: FromPath[str]) -> None:
    """Destroy all that is stored of a secret; hosts keep what they have applied."""
    actor = call.actor
    await call.change(lambda tx: secrets.delete(tx, actor, name))


@post(
    "/secrets/{name:str}/restriction",
    tags=TAGS,
    summary="Restrict a secret",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def restrict_secret(
    call: Caller, name: FromPath[str], data: JSONBody[api_secrets.RestrictSecretRequest]
) -> api_secrets.Secret:
    """Take a document that says anew which hosts may have the secret, with their keys alone."""
    actor = call.actor
    request = api_secrets.UpdateSecretRequest(sealed=data.sealed)
    return await call.create(
        api_secrets.Secret,
        lambda tx: secrets.replace(tx, actor, name, request, restricting=True),
    )


@post(
    "/secrets/{name:str}/wraps",
    tags=TAGS,
    summary="Seal a secret to more recipients",
    operation_class=Creating,
    responses=documented(
        "bad_request", "unauthorized", "forbidden", "not_found", "conflict", "payload_too_large"
    ),
)
async def add_wraps(
    call: Caller, name: FromPath[str], data: JSONBody[api_secrets.WrapsRequest]
) -> api_secrets.Secret:
    """Store the key of the current version for hosts that have come since."""
    actor = call.actor
    return await call.create(
        api_secrets.Secret, lambda tx: secrets.add_wraps(tx, actor, name, data)
    )


@get(
    "/secrets/{name:str}/sealed",
    tags=TAGS,
    summary="Get a sealed secret",
    responses=documented("bad_request", "unauthorized", "forbidden", "not_found"),
)
async def get_sealed(call: Caller, name: FromPath[str]) -> api_secrets.SealedCopy:
    """Return the sealed bytes, with the key as it is wrapped for the caller, if it is."""
    actor = call.actor
    return await call.read(lambda tx: secrets.sealed_copy(tx, actor, name))


@get(
    "/secret-recipients",
    tags=TAGS,
    summary="List who secrets can be sealed to",
    responses=documented("bad_request", "unauthorized", "forbidden"),
)
async def list_recipients(call: Caller) -> tuple[api_secrets.Recipient, ...]:
    """Return the approved hosts, with the signatures that prove their sealing keys."""
    return await call.read(secrets.recipients)


routes = (
    list_secrets,
    create_secret,
    show_secret,
    replace_secret,
    delete_secret,
    restrict_secret,
    add_wraps,
    get_sealed,
    list_recipients,
)
