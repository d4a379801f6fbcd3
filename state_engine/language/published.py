"""The words of the published module format that this version knows of but does not carry out yet.

A file that uses one is told so, which is more use than "unknown". A word leaves this file when its
kind enters the registry (the registry always wins).
"""

from __future__ import annotations

KINDS = (
    "directory-unix",
    "directory-windows",
    "file-unix",
    "file-windows",
    "group-unix",
    "group-windows",
    "package-apt",
    "package-brew",
    "package-choco",
    "package-dnf",
    "package-winget",
    "script",
    "service-launchd",
    "service-systemd",
    "service-windows",
    "user-unix",
    "user-windows",
)

# The kinds whose default removal leaves what was there before us, and which can delete it as well
# (`on_remove: delete`). The others keep a person's data whatever is written, or run their own undo.
DELETABLE = ("directory-unix", "file-unix", "symlink-unix")
