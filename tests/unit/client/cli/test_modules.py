"""`standfast modules`: what is stored, checked against its own version."""

from __future__ import annotations

import msgspec

from protocol import api
from protocol.reports import content_digest
from tests.fakes.api_server import FakeCoordinator, Reply
from tests.fakes.operator import Person

CONTENT = "name: web\n"


def test_modules_are_listed_shown_and_removed(lena: Person, coordinator: FakeCoordinator) -> None:
    """`--content` gives the file and nothing else."""
    digest = content_digest(CONTENT.encode())
    module = api.ModuleDetail("web", 5, "lena", digest, ("id",), content=CONTENT)
    coordinator.on("GET", "/modules", Reply([module]))
    coordinator.on("GET", "/modules/web", Reply(module))
    coordinator.on("DELETE", "/modules/web", Reply(raw=b""))
    assert lena.types("modules list").rows[0][:3] == ["web", digest, "signed"]
    assert lena.types("modules show web --content").out == CONTENT
    assert lena.types("modules remove web").code == 2
    assert lena.types("modules remove web --yes").code == 0
    changed = msgspec.structs.replace(module, content="name: evil\n")
    coordinator.on("GET", "/modules/web", Reply(changed))
    assert lena.types("modules show web").code == 3
