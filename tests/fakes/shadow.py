"""The account tools and visudo in memory: they change /etc/passwd and /etc/group of `FakePorts`.

`tests/integration/test_kind_user_unix.py` puts the same stories to the real tools.
"""

from __future__ import annotations

from collections.abc import Callable

from protocol.reports import CapturedStream
from state_engine.ports import PortError, ProgramCall
from tests.fakes.ports import FakeFiles, FakePorts, FakePrograms, Node

Row = list[str]


class FakeShadow(FakePrograms):
    """Runs groupadd, groupmod, groupdel, useradd, usermod, userdel and visudo.

    `argvs` lists what was run. `visudo` false: that program is not on the host.
    """

    def __init__(self, files: FakeFiles) -> None:
        super().__init__()
        self.argvs: list[tuple[str, ...]] = []
        self._files = files
        self._tools: dict[str, Callable[[dict[str, str], str], str]] = {
            "groupadd": self._groupadd,
            "groupmod": self._groupmod,
            "groupdel": self._groupdel,
            "useradd": self._useradd,
            "usermod": self._usermod,
            "userdel": self._userdel,
        }

    def run(self, call: ProgramCall) -> CapturedStream:
        if not call.argv[0].startswith("/usr/sbin/"):
            return super().run(call)
        self.argvs.append(call.argv)
        tool = call.argv[0].rpartition("/")[2]
        if tool == "visudo":
            return self._visudo(call)
        assert call.argv[-2] == "--", "a name must not be taken for an option"
        options: dict[str, str] = {}
        for word in call.argv[1:-2]:
            option, _, value = word.removeprefix("--").partition("=")
            options[option] = value
        problem = self._tools[tool](options, call.argv[-1])
        return CapturedStream(1, "", problem) if problem else CapturedStream(0, "", "")

    def _visudo(self, call: ProgramCall) -> CapturedStream:
        if "/usr/sbin/visudo" not in self._files.nodes:
            raise PortError("cannot run /usr/sbin/visudo: No such file or directory", "ENOENT")
        if b"ALL" in call.stdin:
            return CapturedStream(0, "stdin: parsed OK\n", "")
        return CapturedStream(1, "", "stdin:1:7: syntax error\nsecret words\n      ^\n")

    def _groupadd(self, options: dict[str, str], name: str) -> str:
        groups = self._rows("group")
        if any(row[0] == name for row in groups):
            return f"groupadd: group '{name}' already exists"
        gid = options.get("gid", _free(groups, 2))
        if any(row[2] == gid for row in groups):
            return f"groupadd: GID '{gid}' already exists"
        self._store("group", [*groups, [name, "x", gid, ""]])
        return ""

    def _groupmod(self, options: dict[str, str], name: str) -> str:
        groups = self._rows("group")
        gid = options["gid"]
        if any(row[2] == gid for row in groups):
            return f"groupmod: GID '{gid}' already exists"
        row = next(row for row in groups if row[0] == name)
        users = self._rows("passwd")
        for user in users:
            user[3] = gid if user[3] == row[2] else user[3]
        row[2] = gid
        self._store("group", groups)
        self._store("passwd", users)
        return ""

    def _groupdel(self, options: dict[str, str], name: str) -> str:
        del options
        groups = self._rows("group")
        gid = next(row[2] for row in groups if row[0] == name)
        if any(row[3] == gid for row in self._rows("passwd")):
            return "groupdel: cannot remove the primary group of user"
        self._store("group", [row for row in groups if row[0] != name])
        return ""

    def _useradd(self, options: dict[str, str], name: str) -> str:
        users = self._rows("passwd")
        if any(row[0] == name for row in users):
            return f"useradd: user '{name}' already exists"
        if "gid" not in options and (problem := self._groupadd({}, name)):
            return problem
        group = self._gid(options.get("gid", name))
        uid = options.get("uid", _free(users, 2))
        if group is None or any(row[2] == uid for row in users):
            return "useradd: UID is not unique, or no such group"
        home = options.get("home-dir", f"/home/{name}")
        row = [name, "x", uid, group, options.get("comment", ""), home]
        self._store("passwd", [*users, [*row, options.get("shell", "/bin/sh")]])
        if "create-home" in options and home not in self._files.nodes:
            self._files.put(home, Node("directory", 0o755, int(uid), int(group)))
        return self._join(name, options)

    def _usermod(self, options: dict[str, str], name: str) -> str:
        users = self._rows("passwd")
        row = next(row for row in users if row[0] == name)
        uid = options.get("uid", row[2])
        group = self._gid(options.get("gid", row[3]))
        if group is None or any(other[2] == uid and other is not row for other in users):
            return "usermod: UID already exists, or no such group"
        for path, node in self._files.nodes.items():
            if path.startswith(row[5]) and str(node.uid) == row[2]:
                node.uid = int(uid)
        row[2], row[3] = uid, group
        row[4] = options.get("comment", row[4])
        row[5] = options.get("home", row[5])
        row[6] = options.get("shell", row[6])
        self._store("passwd", users)
        return self._join(name, options)

    def _userdel(self, options: dict[str, str], name: str) -> str:
        del options
        self._store("passwd", [row for row in self._rows("passwd") if row[0] != name])
        return self._join(name, {"groups": ""})

    def _join(self, name: str, options: dict[str, str]) -> str:
        if "groups" not in options:
            return ""
        wanted = {group for group in options["groups"].split(",") if group}
        groups = self._rows("group")
        if not wanted <= {row[0] for row in groups}:
            return "group does not exist"
        for row in groups:
            members = [member for member in row[3].split(",") if member and member != name]
            row[3] = ",".join([*members, name] if row[0] in wanted else members)
        self._store("group", groups)
        return ""

    def _gid(self, group: str) -> str | None:
        for row in self._rows("group"):
            if group in {row[0], row[2]}:
                return row[2]
        return None

    def _rows(self, name: str) -> list[Row]:
        text = self._files.nodes[f"/etc/{name}"].content.decode()
        return [line.split(":") for line in text.splitlines()]

    def _store(self, name: str, rows: list[Row]) -> None:
        text = "".join(":".join(row) + "\n" for row in rows)
        self._files.put(f"/etc/{name}", Node("file", 0o644, 0, 0, text.encode()))


class ShadowPorts(FakePorts):
    """A host with account files, the account tools, and the directories of sudo and cron."""

    def __init__(self, passwd: str = "", group: str = "", *, visudo: bool = True) -> None:
        super().__init__()
        self.shadow = FakeShadow(self.files)
        self.programs = self.shadow
        for path in ("/etc", "/etc/sudoers.d", "/etc/cron.d", "/home", "/usr", "/usr/sbin"):
            self.files.put(path, Node("directory", 0o755, 0, 0))
        passwd = "root:x:0:0:root:/root:/bin/bash\n" + passwd
        self.files.put("/etc/passwd", Node("file", 0o644, 0, 0, passwd.encode()))
        group = "root:x:0:\n" + group
        self.files.put("/etc/group", Node("file", 0o644, 0, 0, group.encode()))
        if visudo:
            self.files.put("/usr/sbin/visudo", Node("file", 0o755, 0, 0, b"visudo"))

    def text(self, path: str) -> str:
        """Return a file's content."""
        return self.files.nodes[path].content.decode()


def _free(rows: list[Row], column: int) -> str:
    taken = {int(row[column]) for row in rows}
    return str(next(number for number in range(1000, 60_000) if number not in taken))
