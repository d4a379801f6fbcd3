"""What docker and podman say, and what they are told."""

from __future__ import annotations

import pytest

from state_engine.ports import PortError
from state_engine.resources.parts import container_engine
from state_engine.resources.parts.container_engine import Wish
from tests.fakes.container_host import ContainerHost
from tests.fakes.ports import FakePorts, Node

# Answers of `container inspect`, as docker 28 and podman 4 give them, cut to what is around.
DOCKER = """[{"Id": "aa11", "Created": "2026-01-01T00:00:00Z", "Path": "/docker-entrypoint.sh",
"State": {"Status": "running", "Running": true, "Paused": false, "ExitCode": 0},
"Name": "/web", "RestartCount": 0, "HostConfig": {"Binds": ["/srv/site:/data:ro"],
"NetworkMode": "bridge", "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "8080"}],
"53/udp": [{"HostIp": "", "HostPort": "53"}], "81/tcp": null},
"RestartPolicy": {"Name": "unless-stopped", "MaximumRetryCount": 0}, "Privileged": false},
"Config": {"Hostname": "aa11", "User": "", "Env": ["A=b=c", "PATH=/bin"],
"Cmd": ["nginx", "-g", "daemon off;"], "Image": "nginx:1.27",
"Labels": {"io.standfast.spec": "d1", "maintainer": "x"}},
"NetworkSettings": {"Ports": {}}}]"""
PODMAN = """[{"Id": "bb22", "State": {"OciVersion": "1.0.2", "Status": "exited", "Running": false},
"Image": "5b0b", "ImageName": "docker.io/library/nginx:1.27", "Name": "web", "Mounts": [],
"Config": {"User": "", "Env": ["container=podman"], "Cmd": null,
"Image": "docker.io/library/nginx:1.27", "Labels": null},
"HostConfig": {"Binds": ["/srv/site:/data:ro,rprivate,rbind"], "NetworkMode": "bridge",
"PortBindings": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]},
"RestartPolicy": {"Name": "", "MaximumRetryCount": 0}}}]"""


def test_dockers_answer_is_read() -> None:
    """Ports, mounts and the rest in the spelling of a wish."""
    found = container_engine.parse(DOCKER)
    assert (found.id, found.running, found.label) == ("aa11", True, "d1")
    assert found.wish == Wish(
        "web",
        "nginx:1.27",
        ("nginx", "-g", "daemon off;"),
        (("A", "b=c"), ("PATH", "/bin")),
        ("127.0.0.1:8080:80/tcp", "53:53/udp"),
        ("/srv/site:/data:ro",),
        "unless-stopped",
        "",
        "bridge",
    )


def test_podmans_answer_is_read() -> None:
    """It names images whole, and mounts with options of its own."""
    found = container_engine.parse(PODMAN)
    assert (found.id, found.running, found.label) == ("bb22", False, "")
    assert (found.wish.image, found.wish.restart) == ("nginx:1.27", "no")
    assert found.wish.ports == ("8080:80/tcp",)
    assert found.wish.volumes == ("/srv/site:/data:ro",)


@pytest.mark.parametrize("text", ["", "[]", "{}", "[1]", '[{"Id": 1}]', "not json"])
def test_an_answer_that_is_none_is_an_error(text: str) -> None:
    """And not a container without anything."""
    with pytest.raises(PortError, match="cannot be read"):
        container_engine.parse(text)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("8080:80", "8080:80/tcp"),
        ("127.0.0.1:8080:80", "127.0.0.1:8080:80/tcp"),
        ("0.0.0.0:53:53/udp", "53:53/udp"),
        ("[::1]:1:2", "[::1]:1:2/tcp"),
        ("80", None),
        ("0:80", None),
        ("70000:80", None),
        ("a:80", None),
        ("1:2/icmp", None),
        ("--privileged", None),
    ],
)
def test_ports_have_one_spelling(text: str, plain: str | None) -> None:
    """What is published at random has none, for nothing could be compared."""
    assert container_engine.read_port(text) == plain


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("/a:/b", "/a:/b"),
        ("data:/b:rw", "data:/b"),
        ("/a:/b:ro,Z", "/a:/b:ro"),
        ("/a", None),
        ("a:b", None),
        ("../a:/b", None),
        ("/a:/b,readonly", None),
        ("/a:/b:ro:x", None),
    ],
)
def test_volumes_have_one_spelling(text: str, plain: str | None) -> None:
    """A path or a name, and whether it is read-only."""
    assert container_engine.read_volume(text) == plain


def test_the_engine_is_found_or_has_to_be_named() -> None:
    """Two of them are a question, none is an error."""
    ports = FakePorts()
    with pytest.raises(PortError, match="neither"):
        container_engine.find_engine(None, ports)
    ports.files.put("/usr/bin/podman", Node("file", 0o755, 0, 0))
    assert container_engine.find_engine(None, ports) == "podman"
    ports.files.put("/usr/local/bin/docker", Node("file", 0o755, 0, 0))
    with pytest.raises(PortError, match="say `engine`"):
        container_engine.find_engine(None, ports)
    assert container_engine.find_engine("docker", ports) == "docker"


def test_a_name_is_matched_whole() -> None:
    """`web` is not `web-2`, and a dot is a dot."""
    host = ContainerHost()
    for name in ("web-2", "webx1"):
        host.put(name, ["nginx:1"], "", running=True)
    assert container_engine.find("docker", "web", host) is None
    assert container_engine.find("docker", "web.1", host) is None
    assert container_engine.find("docker", "webx1", host) is not None


def test_variables_are_in_no_command_line() -> None:
    """Which every user can see."""
    call = container_engine.make(
        "docker", Wish("a", "i:1", env=(("KEY", "hidden value"),)), "d", start=True
    )
    assert "hidden" not in " ".join(call.argv)
    assert call.stdin == b"KEY=hidden value\n"


def test_an_engine_that_cannot_answer_is_an_error() -> None:
    """It is not taken for a host without the container."""
    host = ContainerHost()
    with pytest.raises(PortError, match="podman failed"):
        container_engine.find("podman", "web", host)
