"""`standfast enrol-key`: the string is shown once; `tests/hostile` checks where it leads."""

from __future__ import annotations

import msgspec

from protocol import api, enrolment
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person

MOMENT = "2026-01-01T00:00:00Z"
INFO = api.EnrolmentKeyInfo("k1", "default", "ci", None, None, MOMENT, MOMENT, MOMENT)


def test_a_key_is_made_with_what_was_asked(lena: Person, coordinator: FakeCoordinator) -> None:
    """A pipe gets the bare string; JSON has the next command too."""
    assert lena.types("operator list").code == 0
    text = enrolment.encode(
        enrolment.EnrolmentKey(
            (coordinator.url,),
            coordinator.identity.public.hex(),
            "",
            coordinator.trusted().digest,
            "default",
            enrolment.secret_text(b"\x01" * 32),
        )
    )
    made = msgspec.structs.replace(INFO, key=text)
    path = "/clusters/default/enrollment_keys"
    coordinator.on("POST", path, Reply({"data": made, "meta": {}}, 201))
    line = "enrol-key create --name ci --uses 3 --expires 12h --tag role=web --auto-approve"
    assert lena.types(line).out == f"{text}\n"
    sent = msgspec.json.decode(coordinator.sent("POST", path)[0].body)
    assert (sent["uses_remaining"], sent["tags"], sent["auto_approve"]) == (
        3,
        {"role": "web"},
        True,
    )
    assert sent["expires_at"].endswith("Z")
    assert lena.types("enrol-key create --unlimited --json").document()["next"] == (
        f"standfast-agent enrol {text}"
    )
    assert msgspec.json.decode(coordinator.sent("POST", path)[1].body)["uses_remaining"] is None
    assert f"standfast-agent enrol {text}" in lena.types("enrol-key create", terminal=True).out
    for wrong in ("--expires yesterday", "--expires 2020-01-01T00:00:00Z", "--uses 0"):
        assert lena.types(f"enrol-key create {wrong}").code == 2


def test_keys_are_listed_over_all_pages_shown_and_revoked(
    lena: Person, coordinator: FakeCoordinator
) -> None:
    """A full page means that there may be more."""

    def pages(request: object) -> Reply:
        assert coordinator.requests[-1] is request
        first = coordinator.requests[-1].query["page"] == "1"
        return Reply({"data": [INFO] * (100 if first else 1), "meta": {}})

    coordinator.on("GET", "/enrollment_keys", pages)
    coordinator.on("GET", "/enrollment_keys/k1", Reply({"data": INFO, "meta": {}}))
    coordinator.on("DELETE", "/enrollment_keys/k1", Reply(raw=b""))
    assert len(lena.types("enrol-key list").rows) == 101
    assert ["uses left", "unlimited"] in lena.types("enrol-key show k1").rows
    assert lena.types("enrol-key revoke k1").code == 2
    assert lena.types("enrol-key revoke k1 --yes").code == 0
