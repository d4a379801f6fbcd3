"""Loading gives back what the file says, or says why not."""

from __future__ import annotations

import hashlib

import pytest

from protocol.canonical import Json
from state_engine.language.load import load_module
from state_engine.model import Clause, Resource, Template, Variant

TEXT = b"""\
name: web
supports:
  - {platform: linux, tag.env: prod}
  - {}
templates:
  - {id: t, content: "hello\\n"}
resources:
  - id: a
    name: A file
    depends_on: []
    resource:
      file-unix: {path: /a, content: null}
  - depends_on: [a]
    variants:
      - when: {distro: debian}
        resource: {script: {program: sh, apply: x, timeout: 5}}
"""


def test_a_module_holds_what_the_file_says() -> None:
    module, problems = load_module(TEXT, "web.standfast.yaml")
    assert problems == []
    assert module is not None
    assert (module.name, module.file) == ("web", "web.standfast.yaml")
    assert module.sha256 == hashlib.sha256(TEXT).hexdigest()
    assert module.supports == (Clause((("platform", "linux"), ("tag.env", "prod"))), Clause(()))
    assert module.templates == (Template("t", "hello\n", 6),)
    debian = Clause((("distro", "debian"),))
    script: dict[str, Json] = {
        "program": "sh",
        "apply": "x",
        "timeout": 5,
    }
    assert module.resources == (
        Resource("a", "A file", (), "file-unix", {"path": "/a", "content": None}, (), 8),
        Resource(None, None, ("a",), None, {}, (Variant(debian, "script", script, 15),), 13),
    )


def test_places_point_at_single_values_and_at_the_keys_of_the_others() -> None:
    module, _ = load_module(TEXT)
    assert module is not None
    assert module.places["/resources/0/resource/file-unix/path"] == (12, 25)
    assert module.places["/resources/0/resource/file-unix"] == (12, 7)
    assert module.places["/resources/1/variants/0"] == (15, 9)


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        (b"", "empty", (1, 1)),
        (b"# only a comment\n", "empty", (1, 1)),
        (b"- a\n", "type", (1, 1)),
        (b"just text", "type", (1, 1)),
        (b"name: caf\xe9", "encoding", (1, 10)),
        (b"name: a: b", "yaml-syntax", (1, 8)),
        (b"name: a\nsupports: [{}]\nname: b\n", "duplicate-key", (3, 1)),
        (b"name: a\nsupports: {}\n", "type", (2, 1)),
        (b"name: a\nsupports: [linux]\n", "type", (2, 12)),
        (b"name: a\nsupports: [{}]\ntemplates: [t]\n", "type", (3, 13)),
        (b"name: a\nsupports: [{}]\nresources: [t]\n", "type", (3, 13)),
        (b"name: a\nsupports: [{}]\nresources: [{resource: x}]\n", "type", (3, 24)),
        (b"name: a\nsupports: [{}]\nresources: [{variants: [x]}]\n", "type", (3, 25)),
    ],
)
def test_what_is_no_module_is_refused_with_its_place(
    text: bytes, code: str, place: tuple[int, int]
) -> None:
    module, problems = load_module(text)
    assert module is None
    assert (problems[0].code, (problems[0].line, problems[0].column)) == (code, place)


def test_a_byte_order_mark_is_no_part_of_the_text() -> None:
    assert load_module(b"\xef\xbb\xbf" + TEXT)[1] == []
