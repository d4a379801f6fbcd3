"""A host in memory with docker or podman: images, containers, and what the commands do with them.

What `inspect` prints has the form of recorded answers (tests/unit/.../test_container_engine.py).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from protocol.reports import CapturedStream
from state_engine.ports import ProgramCall
from tests.fakes.ports import FakePorts, FakePrograms, Node

Facts = dict[str, object]


class ContainerHost(FakePorts):
    """`containers` is what inspect says of each, by name; `pulled` the images that are here."""

    def __init__(self, engine: str = "docker") -> None:
        super().__init__()
        self.engine = engine
        self.containers: dict[str, Facts] = {}
        self.pulled: set[str] = set()
        self.registry = True
        self.count = 0
        self.programs = Containers(self)
        self.files.put(f"/usr/bin/{engine}", Node("file", 0o755, 0, 0))

    def put(self, name: str, argv: list[str], env: str, *, running: bool) -> None:
        """Make a container from the words of a command line."""
        self.count += 1
        given: dict[str, list[str]] = {}
        rest = list(argv)
        while rest and rest[0].startswith("--"):
            word, equals, value = rest.pop(0).partition("=")
            given.setdefault(word, []).append(value if equals else rest.pop(0))
        image, *command = rest
        ports: dict[str, list[Mapping[str, str]]] = {}
        for text in given.get("--publish", []):
            outer, _, inner = text.rpartition(":")
            ip, _, port = outer.rpartition(":")
            ports.setdefault(inner, []).append({"HostIp": ip.strip("[]"), "HostPort": port})
        labels = dict(item.split("=", 1) for item in given.get("--label", []))
        podman = self.engine == "podman"
        self.containers[name] = {
            "Id": f"{self.count:064x}",
            "Name": name if podman else f"/{name}",
            "State": {"Status": "running" if running else "created", "Running": running},
            "Config": {
                "Image": f"docker.io/library/{image}" if podman and "/" not in image else image,
                "Cmd": command or ["image's", "own"],
                "Env": ["PATH=/usr/bin", *env.splitlines()],
                "User": given.get("--user", [""])[0],
                "Labels": labels or None,
            },
            "HostConfig": {
                "Binds": [
                    f"{item},rprivate,rbind" if podman and item.endswith(":ro") else item
                    for item in given.get("--volume", [])
                ]
                or None,
                "PortBindings": ports,
                "RestartPolicy": {"Name": given.get("--restart", [""])[0], "MaximumRetryCount": 0},
                "NetworkMode": given.get("--network", ["bridge"])[0],
            },
        }


class Containers(FakePrograms):
    """The engine's commands."""

    def __init__(self, host: ContainerHost) -> None:
        super().__init__()
        self._host = host

    def run(self, call: ProgramCall) -> CapturedStream:
        self.calls.append(" ".join(call.argv))
        engine, verb, *rest = call.argv
        if engine != self._host.engine:
            return CapturedStream(127, "", f"{engine}: not found")
        done = self._do(verb, rest, call)
        return CapturedStream(0, done, "") if done is not None else CapturedStream(1, "", "no such")

    def _do(self, verb: str, rest: list[str], call: ProgramCall) -> str | None:
        host = self._host
        if verb == "ps":
            pattern = rest[rest.index("--filter") + 1].removeprefix("name=")
            found = [facts for facts in host.containers.values() if self._named(pattern, facts)]
            return "".join(f"{facts['Id']}\n" for facts in found)
        if verb == "container":
            return json.dumps([facts for facts in host.containers.values() if facts["Id"] in rest])
        if verb == "image":
            return "" if rest[-1] in host.pulled else None
        if verb == "pull":
            if not host.registry:
                return None
            host.pulled.add(rest[-1])
            return ""
        if verb in {"run", "create"}:
            words = [word for word in rest if word not in {"--detach", "--env-file=/dev/stdin"}]
            name = words[words.index("--name") + 1]
            image = next(word for word in words if word in host.pulled)
            if name in host.containers or image not in host.pulled:
                return None
            host.put(name, words, call.stdin.decode(), running=verb == "run")
            return ""
        return self._change(verb, rest[-1])

    def _change(self, verb: str, number: str) -> str | None:
        for name, facts in list(self._host.containers.items()):
            if facts["Id"] != number:
                continue
            state = facts["State"]
            assert isinstance(state, dict)
            if verb == "rm":
                if state["Running"]:
                    return None
                del self._host.containers[name]
            else:
                state["Running"] = verb == "start"
            return ""
        return None

    @staticmethod
    def _named(pattern: str, facts: Facts) -> bool:
        return re.search(pattern, str(facts["Name"])) is not None
