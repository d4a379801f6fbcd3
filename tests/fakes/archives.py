"""Archives made in memory, of every format, with whatever is asked for in them."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterable
from itertools import starmap

FORMATS = ("tar", "gz", "xz", "bz2", "zip")


def entry(
    name: str,
    content: bytes = b"",
    kind: bytes = tarfile.REGTYPE,
    *,
    mode: int = 0o644,
    link: str = "",
) -> tuple[tarfile.TarInfo, bytes]:
    """Return a member of a tar archive, lawful or not."""
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = mode
    info.linkname = link
    info.size = len(content)
    return info, content


def tar(entries: Iterable[tuple[tarfile.TarInfo, bytes]], form: str = "gz") -> bytes:
    """Return a tar archive with these members, in this order."""
    out = io.BytesIO()
    mode = "w" if form == "tar" else f"w:{form}"
    with tarfile.open(fileobj=out, mode=mode) as archive:  # type: ignore[call-overload]
        for info, content in entries:
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def packed(files: dict[str, bytes], form: str, *, links: dict[str, str] | None = None) -> bytes:
    """Return an archive of some format with files and symbolic links."""
    links = links or {}
    if form != "zip":
        members = list(starmap(entry, files.items()))
        made = [entry(name, b"", tarfile.SYMTYPE, link=to) for name, to in links.items()]
        return tar([*members, *made], form)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        for name, to in links.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = 0o120777 << 16
            archive.writestr(info, to)
    return out.getvalue()


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
