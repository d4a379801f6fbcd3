"""Secrets at the coordinator: only what operators signed, counted up, never in the clear."""

from __future__ import annotations

import msgspec
import pytest

from coordinator.domain import secret_views, secrets
from protocol import keys
from protocol.api_secrets import CreateSecretRequest, SealedBody, UpdateSecretRequest, WrapsRequest
from protocol.messages import ModuleVersion
from protocol.secrets import Restriction, SealedSecret
from tests.fakes.api_site import Desk
from tests.fakes.sealed_requests import NODE, WRAPPED, again, body, creation

MODULE = ModuleVersion("m", "0" * 64, b"x: '${{ secrets.db }} ${{ secrets.other }}'")


def made(desk: Desk, name: str = "db", **parts: object) -> None:
    desk.do(lambda tx: secrets.create(tx, desk.ada, creation(name, **parts)))


def test_a_sealed_secret_is_stored_and_described() -> None:
    """Everything but the value; the event names it."""
    desk = Desk.open()
    made(desk)
    shown = desk.do(lambda tx: secret_views.get(tx, "db"))
    assert (shown.name, shown.version, shown.revision, shown.sealed_to) == ("db", 1, 1, (NODE,))
    assert "horse" not in str(shown)
    assert (desk.last_event().type, desk.last_event().data) == ("secret.created", {"version": 1})


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (CreateSecretRequest("db", value="in the clear"), "plaintext_refused"),
        (CreateSecretRequest("db"), None),
        (CreateSecretRequest("db", sealed=body("other")), "secret_invalid"),
        (CreateSecretRequest("db", sealed=body("db", scope="a/b/c")), "secret_invalid"),
        (
            CreateSecretRequest("db", sealed=body("db", signer=keys.SigningKey(b"\x55" * 32))),
            "secret_invalid",
        ),
        (CreateSecretRequest("db", sealed=body("db", version=2)), "secret_version"),
        (CreateSecretRequest("db", description="x" * 2_000, sealed=body("db")), None),
        (
            CreateSecretRequest(
                "db", sealed=msgspec.structs.replace(body("db"), ciphertext="AAAA")
            ),
            None,
        ),
        (
            CreateSecretRequest("db", sealed=msgspec.structs.replace(body("db"), ciphertext="?")),
            None,
        ),
        (
            CreateSecretRequest(
                "db", sealed=msgspec.structs.replace(body("db"), wraps={NODE: "AAAA"})
            ),
            None,
        ),
        (
            CreateSecretRequest(
                "db", sealed=msgspec.structs.replace(body("db"), wraps={"me": "A" * 107 + "="})
            ),
            None,
        ),
    ],
)
def test_what_is_not_sealed_and_signed_is_refused(
    request_: CreateSecretRequest, code: str | None
) -> None:
    """With what is wrong; nothing of it is stored."""
    desk = Desk.open()
    refused = desk.refused(lambda tx: secrets.create(tx, desk.ada, request_))
    assert refused.code == code
    assert desk.do(secret_views.listing) == ()
    assert "in the clear" not in refused.message.replace("no secret in the clear", "")


def test_a_name_counts_on_after_it_was_deleted() -> None:
    """The answer to a version that is taken says which comes next."""
    desk = Desk.open()
    made(desk)
    assert desk.refused(lambda tx: secrets.create(tx, desk.ada, creation("db"))).kind == "conflict"
    desk.do(lambda tx: (secrets.delete(tx, desk.ada, "db"), None))
    refused = desk.refused(lambda tx: secrets.create(tx, desk.ada, creation("db")))
    assert refused.details == {"version": ("2",)}
    made(desk, version=2)


def test_a_rotation_keeps_the_restriction_and_destroys_the_old_value() -> None:
    """The restriction is changed by its own request only."""
    desk = Desk.open()
    made(desk, restriction=Restriction("role=db"))
    new = body(version=2, value="battery staple")
    refused = desk.refused(
        lambda tx: secrets.replace(tx, desk.ada, "db", UpdateSecretRequest(sealed=new))
    )
    assert refused.details is not None
    assert "restriction" in refused.details
    kept = body(version=2, value="battery staple", restriction=Restriction("role=db"))
    changed = desk.do(
        lambda tx: secrets.replace(tx, desk.ada, "db", UpdateSecretRequest(sealed=kept))
    )
    assert changed.version == 2
    assert desk.last_event().type == "secret.updated"


def test_a_restriction_takes_its_keys_from_whoever_is_out() -> None:
    """The same value, signed anew; keys that are not brought again are destroyed."""
    desk = Desk.open()
    sealed = body()
    desk.do(lambda tx: secrets.create(tx, desk.ada, CreateSecretRequest("db", sealed=sealed)))
    narrower = again(sealed, revision=2, restriction=Restriction("", (NODE,)))
    changed = desk.do(
        lambda tx: secrets.replace(
            tx, desk.ada, "db", UpdateSecretRequest(sealed=narrower), restricting=True
        )
    )
    assert (changed.version, changed.revision, changed.recipients) == (1, 2, 1)
    stale = desk.refused(
        lambda tx: secrets.replace(
            tx, desk.ada, "db", UpdateSecretRequest(sealed=narrower), restricting=True
        )
    )
    assert stale.kind == "conflict"


def test_a_description_is_changed_alone_and_an_end_is_not() -> None:
    """Null clears, absent keeps; the end of a secret is signed."""
    desk = Desk.open()
    made(desk)
    for given, expected in (("for the app", "for the app"), (None, None)):
        request = UpdateSecretRequest(description=given)
        shown = desk.do(lambda tx, r=request: secrets.replace(tx, desk.ada, "db", r))  # type: ignore[misc]
        assert shown.description == expected
    ended = UpdateSecretRequest(expires_at="2027-01-01T00:00:00Z")
    refused = desk.refused(lambda tx: secrets.replace(tx, desk.ada, "db", ended))
    assert refused.details is not None
    assert "expires_at" in refused.details
    plain = UpdateSecretRequest(value="in the clear")
    assert desk.refused(lambda tx: secrets.replace(tx, desk.ada, "db", plain)).kind == "forbidden"


def test_an_offer_carries_what_is_sealed_to_its_host_and_nothing_else() -> None:
    """Delivery for an apply is noted, so that a rotation shows who is behind."""
    desk = Desk.open()
    made(desk)
    made(desk, "unused")
    (sealed,) = desk.do(lambda tx: secrets.for_offer(tx, NODE, [MODULE], applying=True))
    assert isinstance(sealed, SealedSecret)
    assert sealed.wrapped == WRAPPED
    assert desk.do(lambda tx: secrets.for_offer(tx, "another", [MODULE], applying=True)) == ()
    assert secrets.named_in([MODULE]) == ("db", "other")
    assert secrets.named_in([ModuleVersion("m", "", b"$${{ secrets.db }}")]) == ()


def test_keys_for_more_recipients_are_for_the_current_version() -> None:
    """Keys of a version that is gone would open nothing."""
    desk = Desk.open()
    made(desk, recipients=())
    wraps = body().wraps
    request = WrapsRequest(2, wraps)
    assert desk.refused(lambda tx: secrets.add_wraps(tx, desk.ada, "db", request)).details == {
        "version": ("1",)
    }
    shown = desk.do(lambda tx: secrets.add_wraps(tx, desk.ada, "db", WrapsRequest(1, wraps)))
    assert shown.recipients == 1
    many = WrapsRequest(1, {str(number): "" for number in range(5_001)})
    assert desk.refused(lambda tx: secrets.add_wraps(tx, desk.ada, "db", many)).details


def test_the_caller_gets_the_key_that_is_wrapped_for_them() -> None:
    """And only that; somebody without gets the sealed bytes alone."""
    desk = Desk.open()
    made(desk, recipients=(desk.ada.operator_id,))
    assert desk.do(lambda tx: secrets.sealed_copy(tx, desk.ada, "db")).wrapped
    other = msgspec.structs.replace(desk.ada, operator_id=NODE)
    assert desk.do(lambda tx: secrets.sealed_copy(tx, other, "db")).wrapped is None


def test_recipients_come_with_their_proofs() -> None:
    """The client checks them; here they are what the host has said of itself."""
    desk = Desk.open()
    (host,) = desk.do(secrets.recipients)
    assert (host.name, host.statement, bool(host.sealing_sig)) == ("web-1", None, True)


def test_nothing_is_done_to_a_secret_that_is_not_there() -> None:
    """Each operation says so."""
    desk = Desk.open()
    for job in (
        lambda tx: secrets.delete(tx, desk.ada, "x"),
        lambda tx: secrets.replace(tx, desk.ada, "x", UpdateSecretRequest()),
        lambda tx: secrets.add_wraps(tx, desk.ada, "x", WrapsRequest(1, {})),
        lambda tx: secrets.sealed_copy(tx, desk.ada, "x"),
        lambda tx: secret_views.get(tx, "x"),
    ):
        assert desk.refused(job).kind == "not_found"


def test_a_body_is_not_shown() -> None:
    """What is logged of a request holds no sealed bytes either."""
    assert isinstance(body(), SealedBody)
    assert "correct" not in repr(body())
