"""Calls of the secrets family. As in `client.api`, nothing here decides whether to believe them."""

from __future__ import annotations

from urllib.parse import quote

from client.api import Api
from client.failures import NotFoundError
from protocol.api_secrets import (
    CreateSecretRequest,
    Recipient,
    RestrictSecretRequest,
    SealedCopy,
    Secret,
    SecretDetail,
    UpdateSecretRequest,
    WrapsRequest,
)


def listing(api: Api) -> tuple[Secret, ...]:
    """Return what is known of all secrets."""
    return api.ask("GET", "/secrets", tuple[Secret, ...])


def show(api: Api, name: str) -> SecretDetail:
    """Return what is known of one secret."""
    return api.ask("GET", _path(name), SecretDetail)


def find(api: Api, name: str) -> SecretDetail | None:
    """Return what is known of one secret, None if there is none."""
    try:
        return show(api, name)
    except NotFoundError:
        return None


def create(api: Api, request: CreateSecretRequest) -> Secret:
    """Bring a new secret."""
    return api.ask("POST", "/secrets", Secret, request)


def update(api: Api, name: str, request: UpdateSecretRequest) -> Secret:
    """Bring a new version, or another description."""
    return api.ask("PUT", _path(name), Secret, request)


def restrict(api: Api, name: str, request: RestrictSecretRequest) -> Secret:
    """Bring a version, old or new, under another restriction."""
    return api.ask("POST", f"{_path(name)}/restriction", Secret, request)


def add_wraps(api: Api, name: str, request: WrapsRequest) -> Secret:
    """Bring the current version's key for more recipients."""
    return api.ask("POST", f"{_path(name)}/wraps", Secret, request)


def sealed(api: Api, name: str) -> SealedCopy:
    """Return a sealed secret with the key as it is wrapped for us."""
    return api.ask("GET", f"{_path(name)}/sealed", SealedCopy)


def remove(api: Api, name: str) -> None:
    """Destroy a secret."""
    api.end(_path(name))


def recipients(api: Api) -> tuple[Recipient, ...]:
    """Return the approved hosts with what is said to prove their keys."""
    return api.ask("GET", "/secret-recipients", tuple[Recipient, ...])


def _path(name: str) -> str:
    return f"/secrets/{quote(name, safe='')}"
