"""A secret's document: signed, restricted, and tied to its sealed bytes."""

from __future__ import annotations

import msgspec
import pytest

from protocol import canonical, dsse, ids, keys, sealing, secrets
from protocol.errors import DecodeError, InvalidName
from protocol.reasons import Reason, Refused
from protocol.roster import Roster, RosterOperator
from protocol.secrets import Restriction, SecretDocument

ADMIN = keys.SigningKey(b"\x01" * 32)
VIEWER = keys.SigningKey(b"\x02" * 32)
NODE = sealing.SealingKey(b"\x03" * 32)
NODE_ID = ids.node_id(b"\x04" * 32)
ROSTER = Roster(
    1,
    1,
    (
        RosterOperator(ids.operator_id(ADMIN.public), "ada", ADMIN.public.hex(), "admin"),
        RosterOperator(ids.operator_id(VIEWER.public), "vic", VIEWER.public.hex(), "viewer"),
    ),
    1,
    "",
    0,
)
DOCUMENT = SecretDocument(
    1, ids.DEFAULT_SCOPE, "db", 1, 1, "0" * 64, Restriction(), ids.operator_id(ADMIN.public), 10
)


def test_a_document_signed_by_one_who_may_decide_is_verified() -> None:
    """The document comes back with its signers."""
    found = secrets.verify(secrets.sign(DOCUMENT, ADMIN), ROSTER)
    assert isinstance(found, secrets.Verified)
    assert found.document == DOCUMENT
    assert found.signers == (ids.operator_id(ADMIN.public),)


@pytest.mark.parametrize("signer", [VIEWER, keys.SigningKey(b"\x09" * 32)])
def test_a_document_signed_by_anybody_else_is_refused(signer: keys.SigningKey) -> None:
    """A viewer, and a stranger such as the coordinator, cannot put in a value of their own."""
    found = secrets.verify(secrets.sign(DOCUMENT, signer), ROSTER)
    assert isinstance(found, Refused)
    assert found.reason is Reason.SECRET_INVALID


@pytest.mark.parametrize(
    "change",
    [
        {"name": "no/slash"},
        {"name": ""},
        {"version": 0},
        {"revision": 0},
        {"ciphertext": "zz"},
        {"restriction": Restriction("a in (")},
        {"restriction": Restriction("", ("not a node",))},
    ],
)
def test_a_document_that_breaks_a_rule_is_none(change: dict[str, object]) -> None:
    """Names, numbers, digests and restrictions are checked before anything is believed."""
    spoilt = msgspec.structs.replace(DOCUMENT, **change)
    with pytest.raises(DecodeError):
        secrets.decode(secrets.sign(spoilt, ADMIN))


def test_a_document_in_another_form_of_the_same_json_is_none() -> None:
    """One value has one byte form, and another payload type is another statement."""
    loose = msgspec.json.encode(DOCUMENT) + b" "
    with pytest.raises(DecodeError):
        secrets.decode(dsse.sign(dsse.SEALED, loose, ADMIN, "x"))
    with pytest.raises(DecodeError):
        secrets.decode(dsse.sign(dsse.DECISION, secrets.encode(DOCUMENT), ADMIN, "x"))


@pytest.mark.parametrize(
    ("restriction", "tags", "allowed"),
    [
        (Restriction(), {}, True),
        (Restriction("role=db"), {"role": "db"}, True),
        (Restriction("role=db"), {}, False),
        (Restriction("", (NODE_ID,)), {}, True),
        (Restriction("", (ids.node_id(b"\x05" * 32),)), {"role": "db"}, False),
        (Restriction("role=db", (NODE_ID,)), {"role": "web"}, False),
        (Restriction("role=db", (NODE_ID,)), {"role": "db"}, True),
    ],
)
def test_a_restriction_is_the_intersection(
    restriction: Restriction, tags: dict[str, str], allowed: bool
) -> None:
    """A host has to be named, if any is, and to match, if a selector stands there."""
    assert secrets.allows(restriction, NODE_ID, tags) is allowed


@pytest.mark.parametrize("value", ["", "abc", "  ab \n", "x" * 65_537, "a\0bcd", "\ud800abcd"])
def test_what_cannot_be_a_value_is_refused_with_a_reason(value: str) -> None:
    """Too short, too long, or no text."""
    assert secrets.check_value(value) is not None
    assert secrets.check_value("abcd") is None


def test_only_what_is_signed_opens() -> None:
    """The value opens for its recipient, and not under another version, id or ciphertext."""
    data_key = sealing.new_data_key()
    sealed = sealing.encrypt(data_key, b"hunter22", secrets.about(ids.DEFAULT_SCOPE, "db", 1))
    document = msgspec.structs.replace(DOCUMENT, ciphertext=secrets.digest_of(sealed))
    info = secrets.key_info(ids.DEFAULT_SCOPE, "db", 1, NODE_ID)
    wrapped = sealing.wrap(data_key, NODE.public, info)
    assert secrets.open_value(document, sealed, wrapped, NODE, NODE_ID) == "hunter22"
    with pytest.raises(DecodeError):
        secrets.open_value(document, sealed, wrapped, NODE, "another")
    with pytest.raises(DecodeError):
        secrets.open_value(document, sealed + b"x", wrapped, NODE, NODE_ID)
    later = msgspec.structs.replace(document, version=2)
    with pytest.raises(DecodeError):
        secrets.open_value(later, sealed, wrapped, NODE, NODE_ID)


def test_a_document_is_signed_in_its_canonical_form() -> None:
    """What is signed is what every reader re-encodes."""
    assert canonical.decode(secrets.encode(DOCUMENT))


def test_a_secrets_name_keeps_its_rule() -> None:
    """The rule is said where it is broken."""
    assert secrets.check_secret_name("db.password-1") == "db.password-1"
    with pytest.raises(InvalidName):
        secrets.check_secret_name("-db")
