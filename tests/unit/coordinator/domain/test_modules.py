"""Modules: what is stored, and with whose signature."""

from __future__ import annotations

import base64

import pytest

from coordinator.domain import modules
from protocol import api, dsse, ids
from protocol.limits import MAX_MODULE
from tests.fakes.api_site import Desk, operator_key

TEXT = """\
name: web
supports: [{platform: linux}]
resources:
  - resource:
      file-unix:
        path: /etc/motd
        content: hello
"""


def signed(text: str, name: str = "ada", kind: str = dsse.MODULE) -> dsse.Envelope:
    """Return an operator's signature over a text."""
    key = operator_key(name)
    return dsse.sign(kind, text.encode(), key, ids.operator_id(key.public))


def upload(desk: Desk, request: api.UploadModuleRequest) -> api.Module:
    """Examine and store a module."""
    examined = desk.do(lambda tx: modules.examine(tx, request))
    return desk.do(lambda tx: modules.store(tx, desk.ada, examined))


def test_a_signed_module_is_stored_with_its_signer() -> None:
    desk = Desk.open()
    made = upload(desk, api.UploadModuleRequest("web", TEXT, signed(TEXT)))
    assert made.signed_by == (desk.ada.operator_id,)
    assert made.warnings == ()
    shown = desk.do(lambda tx: modules.get(tx, "web"))
    assert (shown.content, shown.sha256) == (TEXT, made.sha256)
    resolved = desk.do(lambda tx: modules.resolve(tx, ids.DEFAULT_SCOPE, ("web", "web")))
    assert not isinstance(resolved, modules.Missing)
    assert [(m.name, m.content) for m in resolved] == [("web", TEXT.encode())]


def test_an_unsigned_module_is_stored_with_a_warning() -> None:
    made = upload(Desk.open(), api.UploadModuleRequest("web", TEXT))
    assert made.signed_by == ()
    assert made.warnings[0].startswith("unsigned")


@pytest.mark.parametrize(
    "envelope",
    [
        signed(TEXT + "\n"),
        signed(TEXT, kind=dsse.DECISION),
        signed(TEXT, "vik"),
        signed(TEXT, "stranger"),
        dsse.Envelope(dsse.MODULE, base64.b64encode(TEXT.encode()).decode()),
        dsse.Envelope(dsse.MODULE, "not base64"),
    ],
    ids=["other bytes", "other kind", "a viewer's", "a stranger's", "none", "malformed"],
)
def test_an_envelope_that_does_not_hold_is_refused(envelope: dsse.Envelope) -> None:
    desk = Desk.open()
    request = api.UploadModuleRequest("web", TEXT, envelope)
    refusal = desk.refused(lambda tx: modules.examine(tx, request))
    assert (refusal.kind, refusal.code) == ("bad_request", "signature_invalid")


def test_problems_come_with_file_and_line() -> None:
    desk = Desk.open()
    request = api.UploadModuleRequest("web", TEXT.replace("path:", "paht:"))
    refusal = desk.refused(lambda tx: modules.examine(tx, request))
    assert refusal.code == "module_invalid"
    assert refusal.details is not None
    assert any(line.startswith("web:6:") for line in refusal.details["content"])


@pytest.mark.parametrize(
    ("name", "content"),
    [("other", TEXT), ("web", "x" * (MAX_MODULE + 1)), ("web", ""), ("web", "\ud800")],
)
def test_what_is_no_module_of_this_name_is_refused(name: str, content: str) -> None:
    desk = Desk.open()
    request = api.UploadModuleRequest(name, content)
    assert desk.refused(lambda tx: modules.examine(tx, request)).kind == "bad_request"


def test_a_new_upload_replaces_what_the_name_stands_for() -> None:
    desk = Desk.open()
    first = upload(desk, api.UploadModuleRequest("web", TEXT))
    second = upload(desk, api.UploadModuleRequest("web", TEXT.replace("hello", "bye")))
    assert first.sha256 != second.sha256
    assert [m.sha256 for m in desk.do(modules.listing)] == [second.sha256]


def test_names_that_look_the_same_are_one_name() -> None:
    desk = Desk.open()
    upload(desk, api.UploadModuleRequest("web", TEXT))
    request = api.UploadModuleRequest("Web", TEXT.replace("web", "Web"))
    examined = desk.store.read_now(lambda tx: modules.examine(tx, request))
    if isinstance(examined, modules.Examined):
        refusal = desk.refused(lambda tx: modules.store(tx, desk.ada, examined))
        assert refusal.kind == "conflict"
    assert desk.refused(lambda tx: modules.get(tx, "WEB")).kind == "not_found"


def test_a_deleted_module_resolves_no_more() -> None:
    desk = Desk.open()
    upload(desk, api.UploadModuleRequest("web", TEXT))
    desk.do(lambda tx: modules.delete(tx, desk.ada, "web"))
    names = ("web", "db")
    resolved = desk.do(lambda tx: modules.resolve(tx, ids.DEFAULT_SCOPE, names))
    assert resolved == modules.Missing(names)
    assert desk.refused(lambda tx: modules.delete(tx, desk.ada, "web")).kind == "not_found"
