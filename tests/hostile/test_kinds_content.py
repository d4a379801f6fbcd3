"""Archives, certificates and addresses that somebody made to hurt."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import tarfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import Json
from state_engine.engine.apply import apply_plan
from state_engine.engine.drift import find_drift
from state_engine.host.linux import LinuxPorts
from state_engine.model import Snapshot
from state_engine.resources.archive import Archive
from state_engine.resources.parts import archive_files, git_tools
from state_engine.resources.parts.archive_files import ArchiveError
from tests.fakes.archives import FORMATS, entry, packed, sha, tar
from tests.fakes.resources import resource

pytestmark = pytest.mark.hostile


def refused(data: bytes) -> str:
    with pytest.raises(ArchiveError) as caught:
        archive_files.manifest(data, sha(data), 0)
    return str(caught.value)


NAMES = ["/etc/passwd", "../x", "a/../../x", "a/..", "..", "a\\..\\x", "a\0b", "x" * 300, "a/" * 70]


@pytest.mark.parametrize("form", ["gz", "zip"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_leads_elsewhere_refuses_the_archive(name: str, form: str) -> None:
    """Whole: not even the lawful members are taken."""
    if form == "zip":
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            info = zipfile.ZipInfo("placeholder")
            info.filename = name
            archive.writestr(info, b"x")
        data = out.getvalue()
        if "\0" in name:
            return  # the format cuts the name there
    else:
        data = tar([entry("good", b"x"), entry(name, b"x")])
        if "\0" in name:
            return
    refused(data)


@pytest.mark.parametrize("target", ["/etc", "..", "../x", "a/../../x", "d/../../../x", ""])
@pytest.mark.parametrize("form", FORMATS)
def test_a_link_that_leads_elsewhere_refuses_the_archive(target: str, form: str) -> None:
    """Judged by its words, for what else is in the tree may change."""
    if target or form != "zip":  # a zip's link without a target is an empty file to its makers
        refused(packed({"d/x": b""}, form, links={"l": target}))


def test_nothing_lies_below_a_link() -> None:
    """The oldest trick: a link first, then a file through it."""
    through = [entry("l", kind=tarfile.SYMTYPE, link="d"), entry("l/x", b"")]
    assert "lies below `l`" in refused(tar([entry("d", kind=tarfile.DIRTYPE), *through]))
    swapped = [entry("a", b"x"), entry("a", kind=tarfile.SYMTYPE, link="b")]
    assert "as file and as symlink" in refused(tar(swapped))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_refuses_the_archive(kind: bytes) -> None:
    """It is never made, by root least of all."""
    assert "device or pipe" in refused(tar([entry("a", kind=kind)]))


@pytest.mark.parametrize("target", ["/etc/shadow", "../x", "later"])
def test_a_hard_link_reaches_no_file_of_the_host(target: str) -> None:
    """Only a file before it in the same archive."""
    refused(tar([entry("a", kind=tarfile.LNKTYPE, link=target), entry("later", b"x")]))


def bomb(size: int, form: str) -> bytes:
    """A tar archive of one file of zeros, made without holding it."""
    info = tarfile.TarInfo("zeros")
    info.size = size
    out = io.BytesIO()
    with gzip.open(out, "wb") if form == "gz" else lzma.open(out, "wb", preset=0) as stream:
        stream.write(info.tobuf())
        for _ in range(min(size, 2**22) // 2**20):
            stream.write(bytes(2**20))
    return out.getvalue()


@pytest.mark.parametrize("form", ["gz", "xz"])
@pytest.mark.parametrize("size", [2**26 + 1, 2**40])
def test_a_file_of_too_many_bytes_refuses_the_archive(size: int, form: str) -> None:
    """By what its header says, before a byte of it is unpacked."""
    assert "unpacks to more than" in refused(bomb(size, form))


def test_a_header_of_too_many_bytes_is_not_read() -> None:
    """A header may name its own length, and would be read as a whole."""
    info = tarfile.TarInfo("h")
    info.type = tarfile.XHDTYPE
    info.size = 2**40
    data = gzip.compress(info.tobuf(tarfile.GNU_FORMAT) + bytes(2**20))
    assert "header of more than" in refused(data)


def test_too_many_members_refuse_the_archive() -> None:
    """Empty ones cost names and handles all the same."""
    data = tar([entry(f"{number}") for number in range(archive_files.MAX_MEMBERS + 1)])
    assert "members" in refused(data)


def test_an_xz_stream_that_asks_for_memory_is_refused() -> None:
    """Its dictionary would be a gigabyte before the first byte came out."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 2**27 + 2**26}]
    data = lzma.compress(tar([entry("a", b"x")], "tar"), filters=filters)
    assert "cannot be read" in refused(data)


def test_a_zip_that_lies_about_a_size_is_refused() -> None:
    """What comes out is counted."""
    data = bytearray(packed({"a": b"0123456789"}, "zip"))
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (3).to_bytes(4, "little")
    refused(bytes(data))


@given(st.binary(max_size=600), st.sampled_from(FORMATS), st.integers(0, 400))
def test_a_damaged_archive_is_refused_or_read(noise: bytes, form: str, place: int) -> None:
    """It raises nothing else, whatever is in it."""
    data = bytearray(packed({"a/b": b"x" * 40, "c": b"y"}, form, links={"l": "c"}))
    data[place : place + len(noise)] = noise
    for candidate in (bytes(data), noise):
        try:
            archive_files.manifest(candidate, sha(candidate), 0)
        except ArchiveError:
            continue


def test_a_planted_link_in_the_tree_is_not_followed(tmp_path: Path) -> None:
    """With the real file system: what it leads to is as it was."""
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    data = packed({"d/x": b"evil"}, "gz")
    source, tree, outside = tmp_path / "a.tar.gz", tmp_path / "tree", tmp_path / "outside"
    source.write_bytes(data)
    outside.mkdir()
    tree.mkdir()
    (tree / "d").symlink_to(outside)
    spec: dict[str, Json] = {"path": str(tree), "source": str(source)}
    item = resource("archive", str(tree), spec)
    outcome = apply_plan("op", "n", [item], Snapshot(), ports, approved=None)
    assert outcome.result.status == "failed"
    assert list(outside.iterdir()) == []


@pytest.mark.parametrize(
    "repo",
    [
        "ext::sh -c id",
        "ext::id",
        "--upload-pack=id",
        "-oProxyCommand=id@host:x",
        "ssh://-oProxyCommand=id/x",
        "https://user:secret@example.org/x",
        "http://example.org/x",
        "git://example.org/x",
        "fd::17",
        "/srv/x",
        "https://example.org/x\ny",
        "https://[",
        "file://",
        "",
    ],
)
def test_an_address_that_runs_something_is_refused(repo: str) -> None:
    """Helpers, options, secrets in the open, ways without encryption."""
    assert git_tools.check_address(repo) != []


LINKS = [
    {"x/y/s": "../..", "x/y/l": "s/.."},
    {"d/s": "../e", "d/l": "s/t/../../.."},
    {"s": "d", "l": "s/t/../.."},
]


@pytest.mark.parametrize("links", LINKS)
@pytest.mark.parametrize("form", ["tar", "zip"])
def test_links_do_not_lead_out_of_the_tree_by_way_of_each_other(
    links: dict[str, str], form: str
) -> None:
    """Each by itself stays inside; what is above the end of a link its words do not tell."""
    assert "out of the tree" in refused(packed({"d/x": b"", "e/x": b""}, form, links=links))
    plain = {"lib64": "lib", "lib/a": "b", "bin/t": "../lib64/a", "x": "lib64/c/../d"}
    plain.pop("x")
    data = packed({"lib/b": b""}, form, links=plain)
    assert archive_files.manifest(data, sha(data), 0)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_zip_is_packed_in_the_usual_way_or_refused(method: int) -> None:
    """The other ways take as much memory for one piece as the archive likes."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr("a", bytes(100_000))
    assert "`a` is packed" in refused(out.getvalue())


@pytest.mark.parametrize(
    "source",
    [
        "https://me:hunter2@example.org/a.tgz",
        "http://tok@example.org/a.tgz",
        "https:///a",
        "file://h/a",
    ],
)
def test_an_address_with_a_password_is_refused_and_not_repeated(source: str) -> None:
    """It would stand in every plan and error."""
    problems = Archive().validate({"path": "/opt/t", "source": source, "sha256": "0" * 64})
    assert [problem.field for problem in problems] == ["source"]
    assert "hunter2" not in str(problems)


def test_a_link_that_no_text_can_name_is_put_right(tmp_path: Path) -> None:
    """Whoever owns what was unpacked does not keep the host from every plan and every look."""
    (tmp_path / "a").write_bytes(packed({"x": b"1"}, "tar", links={"l": "x"}))
    ports = LinuxPorts(tmp_path / "state", b"k" * 32)
    spec: dict[str, Json] = {"path": str(tmp_path / "o"), "source": str(tmp_path / "a")}
    items = [resource("archive", str(tmp_path / "o"), spec)]
    first = apply_plan("op", "n", items, Snapshot(), ports, approved=None)
    link = tmp_path / "o/l"
    link.unlink()
    link.symlink_to(os.fsdecode(b"\xff\xfe"))
    (drift,) = find_drift(first.snapshot, ports)
    assert drift.changes[0].current == "a link to \\xff\\xfe"
    again = apply_plan("op", "n", items, first.snapshot, ports, approved=None)
    assert again.result.status == "succeeded"
    assert str(link.readlink()) == "x"
