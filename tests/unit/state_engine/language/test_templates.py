"""Templates: the text takes the place of `content`."""

from __future__ import annotations

from state_engine.language.templates import by_id, put_in
from state_engine.model import Module, Template

KNOWN = by_id(Module("m", "0", (), (Template("t", "hello"),)))


def test_the_text_of_a_template_becomes_the_content() -> None:
    spec = put_in({"path": "/a", "template": "t"}, KNOWN)
    assert spec == {"path": "/a", "content": "hello"}


def test_a_spec_without_a_known_template_stays_as_it_is() -> None:
    assert put_in({"path": "/a", "content": "x"}, KNOWN) == {"path": "/a", "content": "x"}
    assert put_in({"template": "u"}, KNOWN) == {"template": "u"}
    assert put_in({"template": None}, KNOWN) == {"template": None}
