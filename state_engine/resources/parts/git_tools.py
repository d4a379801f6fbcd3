"""Looking at a git working tree, and the command lines that change one. It is no kind.

What of `.git` can be read is read as files. git itself is run as the tree's owner, so that what
another user wrote into `.git/config` never runs with more rights than his; on top of that hooks,
the file system monitor, prompts, `ext::` addresses and lazy fetches are off.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import msgspec

from state_engine.ports import PortError, Ports, ProgramCall
from state_engine.resources.contract import RemoveDirectory, RunScript, SpecProblem, Step
from state_engine.resources.parts import way

FETCH_TIMEOUT = 1_800.0  # a large repository over a slow line
LOCAL_TIMEOUT = 300.0
ASK_TIMEOUT = 60.0
MAX_REF_FILE = 16 * 1_048_576  # packed-refs of a repository with 200,000 refs
_HASH = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCHEMES = frozenset({"https", "ssh", "file"})
_SCP_LIKE = re.compile(r"[A-Za-z0-9._-]+@[A-Za-z0-9._-]+:[^\s]+")
# git-check-ref-format(1), and nothing that could be an option or a pattern.
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+/@=,-]{0,254}")
_SETTINGS = (
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("core.untrackedCache", "false"),
    ("protocol.allow", "never"),
    ("protocol.https.allow", "always"),
    ("protocol.ssh.allow", "always"),
    ("protocol.file.allow", "always"),
    ("submodule.recurse", "false"),
    ("gc.auto", "0"),
    ("maintenance.auto", "false"),
    ("advice.detachedHead", "false"),
    ("credential.interactive", "false"),
)
_ENVIRONMENT = (
    ("GIT_TERMINAL_PROMPT", "0"),
    ("GIT_ASKPASS", "/bin/false"),
    ("SSH_ASKPASS", "/bin/false"),
    ("GIT_SSH_COMMAND", "ssh -o BatchMode=yes -o ConnectTimeout=20"),
    ("GIT_NO_LAZY_FETCH", "1"),
    ("GIT_OPTIONAL_LOCKS", "0"),
    ("GIT_PAGER", "cat"),
    ("GIT_LFS_SKIP_SMUDGE", "1"),
)


class Worktree(msgspec.Struct, frozen=True):
    """A working tree: the commit that is checked out, and what in it somebody may miss.

    `changed` are files that git knows and that are not as committed; `others` counts those that it
    does not know, `ignored` those that it is told not to; `branches` are the local ones. `stray`:
    the commit is on no branch or tag of the remote. `foreign`: it is another user's, so git was not
    run in it and nothing is known but the commit.
    """

    head: str
    owner: str
    changed: tuple[str, ...] = ()
    others: int = 0
    branches: tuple[str, ...] = ()
    ignored: int = 0
    stashed: bool = False
    stray: bool = False
    foreign: bool = False

    @property
    def work(self) -> str | None:
        """What in it may be somebody's work, or None."""
        reasons = (
            (self.foreign, f"it belongs to {self.owner}, and was not looked into"),
            (self.changed, f"{', '.join(self.changed[:1])} is changed and not committed"),
            (self.others, f"it holds {self.others} files that git does not know"),
            (self.branches, f"it has the branch {', '.join(self.branches[:1])}"),
            (self.stashed, "it holds a stash"),
            (self.stray, f"its commit {self.head[:12]} is nowhere else"),
            # Mostly somebody's settings or data.
            (self.ignored, f"it holds {self.ignored} files that git is told to ignore"),
        )
        return next((reason for there, reason in reasons if there), None)


class Git:
    """The working tree at `path`, whose git runs as `owner`."""

    def __init__(self, path: str, owner: str | None) -> None:
        self._path = path
        self._owner = owner

    def look(self, ports: Ports) -> Worktree | None:
        """Return what is there, or None if nothing is.

        Raises:
            PortError: something else stands there, or git cannot make sense of it.
        """
        stat = ports.files.stat(self._path)
        if stat is None:
            return None
        inner = ports.files.stat(f"{self._path}/.git") if stat.type == "directory" else None
        if inner is None or inner.type != "directory":
            raise PortError(f"{self._path} is there and is no git working tree", "EEXIST")
        owner = ports.accounts.user(stat.uid)
        if self._owner is not None and owner != self._owner and str(stat.uid) != self._owner:
            return Worktree(self._head(ports), owner, foreign=True)
        # NUL-terminated: a name may hold everything else.
        words = ("status", "--porcelain=v1", "-z", "--untracked-files=normal")
        said = self._said((*words, "--ignored", "--ignore-submodules=none"), ports)
        changed, others = parse_status(said)
        return Worktree(
            self._head(ports),
            self._owner or owner,
            changed,
            others,
            self._branches(ports),
            ignored=sum(entry.startswith("!! ") for entry in said.split("\0")),
            stashed=self._ref("refs/stash", ports) is not None,
        )

    def refuse_place(self, ports: Ports) -> None:
        """Refuse to run git as root where somebody else could put a tree of his.

        git obeys the settings of whatever tree stands there, and `find` deletes it; both walk the
        path by themselves.

        Raises:
            PortError: somebody could.
        """
        reason = way.not_ours(self._path, ports) if self._owner is None else None
        if reason is not None:
            raise PortError(f"git is not run in {self._path} as root: {reason}", "EPERM")

    def is_stray(self, ports: Ports) -> bool:
        """Say whether the commit that is checked out is on no branch or tag of the remote."""
        words = ("rev-list", "--max-count=1", "HEAD", "--not", "--remotes", "--tags")
        return bool(self._said(words, ports).strip())

    def tagged(self, tag: str, ports: Ports) -> str | None:
        """Return the commit of a tag that is here, or None."""
        if self._ref(f"refs/tags/{tag}", ports) is None:
            return None
        # An annotated tag is an object of its own, which only git can open.
        name = f"refs/tags/{tag}^{{commit}}"
        return self._said(("rev-parse", "--verify", "--end-of-options", name), ports).strip()

    def origin(self, ports: Ports) -> str | None:
        """Return the address that `origin` has."""
        call = self._call(("config", "--local", "--get", "remote.origin.url"), LOCAL_TIMEOUT)
        captured = ports.programs.run(msgspec.structs.replace(call, read_only=True))
        return captured.stdout.removesuffix("\n") if captured.exit == 0 else None

    def remote_branch(self, repo: str, branch: str, ports: Ports) -> str:
        """Return the commit that a branch of the repository is at.

        Raises:
            PortError: it cannot be asked, or has no such branch.
        """
        name = f"refs/heads/{branch}"
        call = _git_call(None, self._owner, ("ls-remote", "--", repo, name), ASK_TIMEOUT)
        said = _answer(ports, msgspec.structs.replace(call, read_only=True))
        for line in said.splitlines():
            commit, _, ref = line.partition("\t")
            if ref == name and _HASH.fullmatch(commit):
                return commit
        raise PortError(f"{repo} has no branch `{branch}`")

    def init(self) -> RunScript:
        """Return: make an empty repository."""
        call = self._call(("init", "--quiet"), LOCAL_TIMEOUT)
        # Where there is no repository yet, git will not hear of a work tree.
        return RunScript(msgspec.structs.replace(call, env=_ENVIRONMENT), "apply")

    def set_origin(self, repo: str) -> RunScript:
        """Return: note where it comes from."""
        return self._step(("config", "remote.origin.url", repo))

    def fetch(self, tag: str | None, branch: str | None, depth: int | None) -> RunScript:
        """Return the fetch of a tag or branch, or of everything (a commit has no name to ask)."""
        refs: tuple[str, ...] = (
            "+refs/heads/*:refs/remotes/origin/*",
            "+refs/tags/*:refs/tags/*",
        )
        if tag is not None:
            refs = (f"+refs/tags/{tag}:refs/tags/{tag}",)
        elif branch is not None:
            refs = (f"+refs/heads/{branch}:refs/remotes/origin/{branch}",)
        shallow = () if depth is None or len(refs) > 1 else (f"--depth={depth}",)
        words = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", *shallow)
        return self._step((*words, "--", "origin", *refs), FETCH_TIMEOUT)

    def verify(self, revision: str, signers: str | None) -> RunScript:
        """Return: fail unless the commit is signed by somebody whom the owner accepts."""
        settings = () if signers is None else (("gpg.ssh.allowedSignersFile", signers),)
        words = ("verify-commit", f"{revision}^{{commit}}")
        return RunScript(self._call(words, LOCAL_TIMEOUT, settings), "check")

    def checkout(self, revision: str) -> RunScript:
        """Return: bring the files into the state of a commit, on no branch.

        It fails where a file that git does not know, ignored or not, would be overwritten.
        """
        words = ("checkout", "--quiet", "--no-overwrite-ignore", "--detach")
        return self._step((*words, f"{revision}^{{commit}}"), FETCH_TIMEOUT)

    def restore(self) -> RunScript:
        """Return: bring the files that git knows back; `checkout --force` takes others along."""
        return self._step(("reset", "--quiet", "--hard"), FETCH_TIMEOUT)

    def delete(self) -> tuple[Step, ...]:
        """Return: the whole tree is deleted."""
        argv = ("find", self._path, "-xdev", "-mindepth", "1", "-delete")
        call = ProgramCall(argv, timeout=LOCAL_TIMEOUT, user=self._owner)
        return RunScript(call, "undo"), RemoveDirectory(self._path)

    def _head(self, ports: Ports) -> str:
        text = self._file("HEAD", ports) or ""
        if not text.startswith("ref: "):
            return _hash(text, f"{self._path}/.git/HEAD")
        return self._ref(text[5:], ports) or "unborn"

    def _ref(self, name: str, ports: Ports) -> str | None:
        if not is_ref_name(name):
            return None
        loose = self._file(name, ports)
        if loose is not None:
            return _hash(loose, name)
        return parse_packed_refs(self._file("packed-refs", ports) or "").get(name)

    def _branches(self, ports: Ports) -> tuple[str, ...]:
        words = ("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads")
        return tuple(self._said(words, ports).splitlines())

    def _file(self, name: str, ports: Ports) -> str | None:
        path = f"{self._path}/.git/{name}"
        try:
            stat = ports.files.stat(path)
        except PortError as error:
            if error.code in {"ENOENT", "ENOTDIR"}:
                return None
            raise
        if stat is None or stat.type != "file":
            return None
        return ports.files.read(path, MAX_REF_FILE).decode("utf-8", "replace").strip()

    def _said(self, words: tuple[str, ...], ports: Ports) -> str:
        call = self._call(words, LOCAL_TIMEOUT)
        return _answer(ports, msgspec.structs.replace(call, read_only=True))

    def _step(self, words: tuple[str, ...], timeout: float = LOCAL_TIMEOUT) -> RunScript:
        return RunScript(self._call(words, timeout), "apply")

    def _call(
        self,
        words: tuple[str, ...],
        timeout: float,
        settings: tuple[tuple[str, str], ...] = (),
    ) -> ProgramCall:
        return _git_call(self._path, self._owner, words, timeout, settings)


def check_address(repo: str) -> list[SpecProblem]:
    """Return what keeps a string from being an address that git may be given."""
    if any(char.isspace() or not char.isprintable() for char in repo) or repo.startswith("-"):
        return [SpecProblem("repo", "an address holds no spaces and does not start with `-`")]
    if "://" not in repo:
        if _SCP_LIKE.fullmatch(repo) and "::" not in repo:
            return []
        hint = "https://host/path, ssh://host/path, user@host:path or file:///path"
        return [SpecProblem("repo", f"`{repo}` is no address of a repository", hint)]
    try:
        parts = urlsplit(repo)
        secret = parts.password is not None
    except ValueError:
        return [SpecProblem("repo", f"`{repo}` is no address")]
    if parts.scheme not in _SCHEMES:
        hint = "https, ssh or file: the others are neither encrypted nor safe"
        return [SpecProblem("repo", f"`{parts.scheme}` is not a way to fetch", hint)]
    if secret:
        hint = "use a credential helper, an SSH key or `~/.netrc` of the owner"
        return [SpecProblem("repo", "a password in an address is seen by every user", hint)]
    if (parts.hostname or "").startswith("-") or not parts.path.strip("/"):
        return [SpecProblem("repo", f"`{repo}` names no repository")]
    return []


def shown_address(repo: str | None) -> str | None:
    """Return an address without the name and password that somebody may have put into it."""
    before, mark, rest = (repo or "").partition("://")
    host, slash, path = rest.partition("/")
    if not mark or "@" not in host or before == "ssh":
        return repo
    return f"{before}://***@{host.rpartition('@')[2]}{slash}{path}"


def is_ref_name(name: str) -> bool:
    """Say whether a string can be the name of a branch or tag."""
    bad = ("..", "//", "@{", "/.", "./")
    ends = name.endswith(("/", ".", ".lock"))
    return _REF.fullmatch(name) is not None and not ends and not any(part in name for part in bad)


def parse_status(text: str) -> tuple[tuple[str, ...], int]:
    """Return the changed files and the number of unknown ones, from NUL-separated short status."""
    changed: list[str] = []
    others = 0
    entries = iter(text.split("\0"))
    for entry in entries:
        code, name = entry[:2], entry[3:]
        if code == "??":
            others += 1
        elif code.strip() and code != "!!":
            changed.append(name)
            if "R" in code or "C" in code:
                next(entries, None)  # the name that it had before
    return tuple(changed), others


def parse_packed_refs(text: str) -> dict[str, str]:
    """Return the refs of a packed-refs file; the commit behind a tag's object is passed over."""
    refs: dict[str, str] = {}
    for line in text.splitlines():
        commit, _, name = line.partition(" ")
        if name and _HASH.fullmatch(commit):
            refs[name] = commit
    return refs


def _git_call(
    path: str | None,
    owner: str | None,
    words: tuple[str, ...],
    timeout: float,
    settings: tuple[tuple[str, str], ...] = (),
) -> ProgramCall:
    options = [word for key, value in (*_SETTINGS, *settings) for word in ("-c", f"{key}={value}")]
    if path is None:
        return ProgramCall(("git", *options, *words), timeout=timeout, user=owner, env=_ENVIRONMENT)
    # No setting in the tree leads to another one, and no repository above it takes its place.
    ceiling = path.rpartition("/")[0] or "/"
    place = (("GIT_WORK_TREE", path), ("GIT_CEILING_DIRECTORIES", ceiling))
    # Whatever the host's own settings say of trees that belong to others: none is obeyed.
    argv = ("git", "-C", path, *options, "-c", "safe.directory=", *words)
    return ProgramCall(argv, timeout=timeout, user=owner, env=(*_ENVIRONMENT, *place))


def _answer(ports: Ports, call: ProgramCall) -> str:
    captured = ports.programs.run(call)
    if captured.exit != 0:
        lines = [line for line in captured.stderr.splitlines() if not line.startswith("[not to be")]
        said = next((line for line in lines if line.startswith(("fatal:", "error:"))), "")
        raise PortError(f"git failed: exit {captured.exit}: {said or ''.join(lines[-1:])}"[:300])
    return captured.stdout


def _hash(text: str, where: str) -> str:
    if not _HASH.fullmatch(text):
        raise PortError(f"{where} holds no commit")
    return text
