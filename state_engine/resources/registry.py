"""Every resource kind by the name that a module uses. A new kind is one file and one line here."""

from __future__ import annotations

from state_engine.resources.contract import Kind
from state_engine.resources.directory_unix import DirectoryUnix
from state_engine.resources.file_unix import FileUnix
from state_engine.resources.script import Script

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        DirectoryUnix(),
        FileUnix(),
        Script(),
    )
}
