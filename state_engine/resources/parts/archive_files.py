"""What an archive holds: tar (plain, gzip, xz, bzip2) and zip, read in memory. It is no kind.

Nothing is written here and nothing outside is read. An archive that names a place outside of its
own tree, goes through one of its own links, holds a device, or unpacks to more than the limits is
refused as a whole: half an archive is nobody's wish.
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Generator, Iterator
from typing import IO, Literal, Self

import msgspec

# A module's whole application is some thousand files.
MAX_MEMBERS = 20_000
# What all files together may hold: eight times the largest archive; read one at a time.
MAX_TOTAL = 512 * 1_048_576
# Beside the files: headers of 512 bytes to 4 KiB each, and what pads them.
MAX_STREAM = MAX_TOTAL + MAX_MEMBERS * 8_192
MAX_MEMBER = 64 * 1_048_576  # the largest file that the engine writes
MAX_DEPTH = 64
MAX_LINK = 4_095
# A header that holds a long name or extended attributes: it is read as a whole.
MAX_HEADER = 1_048_576
# xz may ask for gigabytes before its first byte comes out; `xz -9` asks for 65 MiB.
_XZ_MEMORY = 128 * 1_048_576
_CHUNK = 65_536
_MANIFESTS = 8

_LONG_HEADERS = frozenset(
    {
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    }
)

Kind = Literal["file", "directory", "symlink"]


class ArchiveError(ValueError):
    """The archive cannot be read, or holds what is not unpacked."""


class Member(msgspec.Struct, frozen=True):
    """One object: its path in the tree, permission bits, and digest or link target."""

    path: str
    kind: Kind
    mode: int = 0o755
    digest: str = ""
    target: str = ""


class _Raw(msgspec.Struct, frozen=True):
    name: str
    kind: Kind
    mode: int
    target: str = ""


# What was read, by digest of the archive and components left out; the oldest goes first.
_known: dict[tuple[str, int], tuple[Member, ...]] = {}


def known(digest: str, strip: int) -> tuple[Member, ...] | None:
    """Return what an archive of this digest was found to hold, if it was read lately."""
    return _known.get((digest, strip))


def manifest(data: bytes, digest: str, strip: int) -> tuple[Member, ...]:
    """Return what an archive holds, parents before what is in them; `known` remembers it.

    `strip` leading components of each name are left out, and what has no more goes.

    Raises:
        ArchiveError: it cannot be read, or holds what is not unpacked.
    """
    found = _known.get((digest, strip))
    if found is None:
        found = _manifest(data, strip)
        while len(_known) >= _MANIFESTS:
            _known.pop(next(iter(_known)), None)
        _known[digest, strip] = found
    return found


def contents(data: bytes, strip: int, wanted: frozenset[str]) -> Generator[tuple[str, bytes]]:
    """Yield path and content of the files that are wanted, in the archive's order.

    Of a name that comes twice the last one counts, as when it is unpacked; both are given out.

    Raises:
        ArchiveError: as `manifest`.
    """
    for raw, content in _members(data, lambda name: _stripped(name, strip) in wanted):
        path = _stripped(raw.name, strip)
        if path in wanted and raw.kind == "file":
            yield path, content


def _manifest(data: bytes, strip: int) -> tuple[Member, ...]:
    members: dict[str, Member] = {}
    for raw, content in _members(data, lambda _: True):
        path = _stripped(raw.name, strip)
        if not path:
            continue
        digest = hashlib.sha256(content).hexdigest() if raw.kind == "file" else ""
        member = Member(path, raw.kind, _safe_mode(raw), digest, raw.target)
        before = members.get(path)
        if before is not None and before.kind != member.kind:
            raise ArchiveError(f"`{path}` is in it as {before.kind} and as {member.kind}")
        members[path] = member
    for path in list(members):
        _check_way(path, members)
    for member in members.values():
        if member.kind == "symlink":
            _check_link(member, members)
    return tuple(sorted(members.values(), key=lambda member: member.path.split("/")))


def _check_way(path: str, members: dict[str, Member]) -> None:
    parts = path.split("/")
    for count in range(1, len(parts)):
        above = "/".join(parts[:count])
        found = members.setdefault(above, Member(above, "directory"))
        if found.kind != "directory":
            raise ArchiveError(f"`{path}` lies below `{above}`, which is a {found.kind}")


def _check_link(member: Member, members: dict[str, Member]) -> None:
    """Refuse a link that leads out of the tree, or whose words do not tell that it stays there.

    What is above the end of another link is elsewhere than its words say.
    """
    place = member.path.split("/")[:-1]
    outside = f"the link `{member.path}` leads to `{member.target}`, out of the tree"
    if member.target.startswith("/") or not member.target or len(member.target) > MAX_LINK:
        raise ArchiveError(outside)
    through = False
    for part in member.target.split("/"):
        if part == "..":
            if not place or through:
                raise ArchiveError(f"{outside} or up from another link" if through else outside)
            place.pop()
        elif part not in {"", "."}:
            place.append(part)
            above = members.get("/".join(place))
            through = through or (above is not None and above.kind == "symlink")


def _safe_mode(raw: _Raw) -> int:
    """Return permission bits without privileges, and that only the owner may write."""
    if raw.kind == "directory":
        return (raw.mode | 0o700) & 0o755
    return (raw.mode | 0o600) & 0o755 if raw.kind == "file" else 0o777


def _stripped(name: str, strip: int) -> str:
    return "/".join(name.split("/")[strip:])


def _clean(name: str) -> str:
    """Return a member's name without `.` and final slash, or refuse it."""
    if name.startswith("/") or "\0" in name or "\\" in name:
        raise ArchiveError(f"`{name!r}` is no relative path")
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts or len(parts) > MAX_DEPTH:
        raise ArchiveError(f"`{name}` leads out of the tree, or is too deep")
    if any(len(part.encode("utf-8", "surrogateescape")) > 255 for part in parts):
        raise ArchiveError("a name in it is longer than 255 bytes")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise ArchiveError(f"{name!r} is not valid Unicode") from None
    return "/".join(parts)


def _members(data: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[_Raw, bytes]]:
    """Yield all members; the content only of files that are wanted."""
    try:
        if zipfile.is_zipfile(io.BytesIO(data)):
            yield from _zip_members(data, wanted)
        else:
            yield from _tar_members(data, wanted)
    except (
        *(tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, OSError),
        *(NotImplementedError, RuntimeError, UnicodeError, OverflowError),
    ) as error:
        raise ArchiveError(f"it cannot be read as tar or zip: {error}") from error
    except ValueError as error:
        if isinstance(error, ArchiveError):
            raise
        raise ArchiveError(f"it cannot be read as tar or zip: {error}") from error


class _Info(tarfile.TarInfo):
    """A header that is looked at before what it announces is read."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """Return the header, unless it is one of those that are longer than any name."""
        info = super().frombuf(buf, encoding, errors)
        if info.type in _LONG_HEADERS and info.size > MAX_HEADER:
            raise ArchiveError(f"it has a header of more than {MAX_HEADER} bytes")
        return info


class _Budget:
    """Counts members and bytes, and refuses the one that is too many."""

    def __init__(self) -> None:
        self._members = 0
        self._bytes = 0

    def take(self, name: str, size: int) -> None:
        self._members += 1
        self._bytes += size
        if self._members > MAX_MEMBERS:
            raise ArchiveError(f"it holds more than {MAX_MEMBERS} members")
        if size < 0 or size > MAX_MEMBER or self._bytes > MAX_TOTAL:
            message = f"with `{name}` it unpacks to more than {MAX_MEMBER} (one file)"
            raise ArchiveError(f"{message} or {MAX_TOTAL} bytes (all)")


def _tar_members(data: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[_Raw, bytes]]:
    budget = _Budget()
    files: dict[str, tuple[int, bytes]] = {}
    held = 0
    hard = _hard_link_targets(data)
    with _tar(data) as tar:
        for info in tar:
            name = _clean(info.name)
            budget.take(name, info.size)
            if not name:
                continue
            if info.isdir():
                yield _Raw(name, "directory", info.mode), b""
            elif info.issym():
                yield _Raw(name, "symlink", 0o777, target=info.linkname), b""
            elif info.islnk():
                source = _clean(info.linkname)
                if source not in files:
                    raise ArchiveError(f"`{name}` is a link to `{source}`, which is not before it")
                mode, content = files[source]
                budget.take(name, len(content))
                yield _Raw(name, "file", mode), content
            elif info.isreg():
                needed = wanted(name) or name in hard
                content = _exactly(tar.extractfile(info), info.size, name) if needed else b""
                if name in hard:
                    held += len(content)
                    if held > MAX_MEMBER:
                        raise ArchiveError(f"hard links refer to more than {MAX_MEMBER} bytes")
                    files[name] = (info.mode, content)
                yield _Raw(name, "file", info.mode), content
            else:
                raise ArchiveError(f"`{name}` is a device or pipe")


def _tar(data: bytes) -> tarfile.TarFile:
    stream = _Bounded(_inflated(data))
    return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Info, errorlevel=2)


def _hard_link_targets(data: bytes) -> frozenset[str]:
    """Return the names that hard links refer to: their content is held, what else is not."""
    found: set[str] = set()
    with tarfile.open(
        fileobj=_Bounded(_inflated(data)), mode="r|", tarinfo=_Info, errorlevel=2
    ) as tar:
        budget = _Budget()
        for info in tar:
            budget.take(info.name, info.size)
            if info.islnk():
                found.add(_clean(info.linkname))
    return frozenset(found)


def _zip_members(data: bytes, wanted: Callable[[str], bool]) -> Iterator[tuple[_Raw, bytes]]:
    budget = _Budget()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        for info in archive.infolist():
            name = _clean(info.filename)
            budget.take(name, info.file_size)
            if not name:
                continue
            if info.flag_bits & 0x1:
                raise ArchiveError(f"`{name}` is encrypted")
            if info.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                # The others unpack a piece as a whole, whatever it asks for.
                raise ArchiveError(f"`{name}` is packed in a rare way; use the usual (deflate)")
            bits = info.external_attr >> 16
            kind = stat.S_IFMT(bits)
            if info.is_dir():
                yield _Raw(name, "directory", stat.S_IMODE(bits) or 0o755), b""
            elif kind == stat.S_IFLNK:
                with archive.open(info) as stream:
                    target = _exactly(stream, min(info.file_size, MAX_LINK + 1), name)
                yield _Raw(name, "symlink", 0o777, target=target.decode()), b""
            elif kind in {0, stat.S_IFREG}:
                content = b""
                if wanted(name):
                    with archive.open(info) as stream:
                        content = _exactly(stream, info.file_size, name)
                yield _Raw(name, "file", stat.S_IMODE(bits) or 0o644), content
            else:
                raise ArchiveError(f"`{name}` is a device or pipe")


def _exactly(stream: IO[bytes] | None, size: int, name: str) -> bytes:
    if stream is None:
        raise ArchiveError(f"`{name}` has no content")
    content = stream.read(size + 1)
    if len(content) != size:
        raise ArchiveError(f"`{name}` is not as long as it says")
    return content


def _inflated(data: bytes) -> IO[bytes]:
    plain = io.BytesIO(data)
    if data.startswith(b"\x1f\x8b"):
        return io.BufferedReader(gzip.GzipFile(fileobj=plain))
    if data.startswith(b"BZh"):
        return bz2.BZ2File(plain)
    if data.startswith(b"\xfd7zXZ\x00"):
        return io.BufferedReader(_Xz(plain))
    if data.startswith(b"\x28\xb5\x2f\xfd"):
        raise ArchiveError("it is packed with zstd, which this Python cannot read; use xz or gzip")
    return plain


class _Xz(io.RawIOBase):
    """An xz stream that may take so much memory and no more."""

    def __init__(self, packed: IO[bytes]) -> None:
        super().__init__()
        self._packed = packed
        self._decompressor = lzma.LZMADecompressor(memlimit=_XZ_MEMORY)

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]  # the stub takes any buffer
        """Fill the buffer as far as the stream goes."""
        while not self._decompressor.eof:
            data = b""
            if self._decompressor.needs_input:
                data = self._packed.read(_CHUNK)
                if not data:
                    raise EOFError("it ends in the middle")
            out = self._decompressor.decompress(data, len(buffer))
            if out:
                buffer[: len(out)] = out
                return len(out)
        return 0


class _Bounded(io.RawIOBase):
    """A stream that gives out so many bytes and no more, however many somebody asks for."""

    def __init__(self, stream: IO[bytes]) -> None:
        super().__init__()
        self._stream = stream
        self._left = MAX_STREAM

    def read(self, size: int = -1) -> bytes:
        """Return bytes; tar reads whole headers at once, of a size that the archive names."""
        if size < 0 or size > self._left:
            raise ArchiveError(f"it unpacks to more than {MAX_STREAM} bytes")
        data = self._stream.read(size)
        self._left -= len(data)
        return data
