"""The kind `git-checkout`: a working tree of one revision of a repository.

Which commit is checked out is read from the files of `.git`; git is asked for local changes, and
for what a remote branch holds. Every run of git is the owner's, with hooks and prompts off.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.canonical import Json
from protocol.reports import CapturedStream, Change, TriggerKind
from state_engine.model import AppliedResource
from state_engine.ports import PortError, Ports
from state_engine.resources.contract import (
    Context,
    Difference,
    MakeDirectory,
    Observation,
    Spec,
    SpecProblem,
    Step,
    Undo,
)
from state_engine.resources.parts import git_tools
from state_engine.resources.parts.git_tools import Git, Worktree
from state_engine.resources.parts.unix_paths import check_account, check_path

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# How many changed files a plan names.
_NAMED = 5


class GitCheckoutSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A checkout of one commit, tag or branch of a git repository, detached from any branch.

    Files that somebody changed are drift and an error: they stay until `force: true` says that they
    may be overwritten. Files that git does not know stay always. A tag that is there is not asked
    for again; a branch is, at each look, which only a plan of a signed module does. Removal and
    `ensure: absent` delete the checkout if nothing in it is anybody's work, ignored files and
    stashes included; else it stays.
    """

    path: Annotated[
        str, Meta(description="Absolute path of the working tree.", examples=["/srv/example"])
    ]
    repo: Annotated[
        str | None,
        Meta(
            description="Where it comes from: an https, ssh or file address, or `user@host:path`.",
            examples=["https://git.example.org/site.git"],
        ),
    ] = None
    commit: Annotated[
        str | None, Meta(description="The whole hash of the commit to have.", examples=["9" * 40])
    ] = None
    tag: Annotated[str | None, Meta(description="The tag to have.", examples=["v1.2"])] = None
    branch: Annotated[str | None, Meta(description="The branch to follow.", examples=["main"])] = (
        None
    )
    owner: Annotated[
        str | None,
        Meta(
            description="User who owns the checkout and runs git; root if left out, and then only"
            " where nobody else can write to the directories above."
        ),
    ] = None
    depth: Annotated[
        Annotated[int, Meta(ge=1, le=1_000_000)] | None,
        Meta(description="How many commits of a tag or branch to fetch; all if left out."),
    ] = None
    verify_commit: Annotated[
        bool | None,
        Meta(description="Take only a commit whose signature git accepts for the owner."),
    ] = None
    allowed_signers: Annotated[
        str | None,
        Meta(description="Absolute path of the SSH keys that may sign (git's allowed signers)."),
    ] = None
    force: Annotated[
        bool | None, Meta(description="Overwrite local changes; they are lost then.")
    ] = None
    ensure: Annotated[
        Literal["present", "absent"] | None,
        Meta(description="`present` (the default) or `absent`."),
    ] = None


class GitObservation(msgspec.Struct, frozen=True):
    """A working tree as found; `target` is the commit to have, where it is known.

    `tree` is None where there is nothing (or an empty directory); `note` says what could not be
    asked.
    """

    tree: Worktree | None = None
    target: str | None = None
    origin: str | None = None
    note: str | None = None
    empty: bool = False

    @property
    def captured(self) -> CapturedStream | None:
        """What git says when it is asked is an answer, not output."""
        return None

    def state(self) -> Json:
        """Return what a decision binds: the commits, and which files somebody changed."""
        tree = self.tree
        if tree is None:
            return {"head": None, "target": self.target, "empty": self.empty}
        return {
            "head": tree.head,
            "owner": tree.owner,
            "target": self.target,
            "origin": self.origin,
            "changed": list(tree.changed),
            "others": tree.others,
            "branches": list(tree.branches),
        }


class GitCheckout:
    """Working trees."""

    name = "git-checkout"
    spec_type: type[msgspec.Struct] = GitCheckoutSpec
    trigger_fields: Mapping[str, TriggerKind] = {}
    idempotent = True

    def validate(self, spec: Spec) -> list[SpecProblem]:
        """Return problems of path, address, revision and owner."""
        checkout = _spec(spec)
        problems = check_path("path", checkout.path) + check_account("owner", checkout.owner)
        revisions = {"commit": checkout.commit, "tag": checkout.tag, "branch": checkout.branch}
        given = [field for field, value in revisions.items() if value is not None]
        if checkout.ensure == "absent":
            given = [*given, *(["repo"] if checkout.repo is not None else [])]
            message = "what is absent comes from nowhere and has no revision"
            hint = "keep `path`, `owner` and `ensure` only"
            return problems + [SpecProblem(field, message, hint) for field in given]
        if checkout.repo is None:
            problems.append(SpecProblem("repo", "`repo` is missing", "say where it comes from"))
        else:
            problems += git_tools.check_address(checkout.repo)
        if len(given) != 1:
            message = "give exactly one of `commit`, `tag` and `branch`"
            problems.append(SpecProblem(given[1] if given else "commit", message))
        if checkout.commit is not None and not _COMMIT.fullmatch(checkout.commit):
            hint = "the 40 (or 64) digits that `git rev-parse` prints"
            message = f"`{checkout.commit}` is not the whole hash of a commit"
            problems.append(SpecProblem("commit", message, hint))
        for field in ("tag", "branch"):
            name = revisions[field]
            if name is not None and not git_tools.is_ref_name(name):
                problems.append(SpecProblem(field, f"`{name}` cannot be the name of a {field}"))
        if checkout.allowed_signers is not None:
            problems += check_path("allowed_signers", checkout.allowed_signers)
        return problems

    def identity(self, spec: Spec, resource_id: str | None) -> str | None:
        """Return the path."""
        del resource_id
        path = spec.get("path")
        return path if isinstance(path, str) else None

    def watches(self, spec: Spec) -> tuple[str, ...]:
        """Return the tree and what git writes when another commit is checked out."""
        path = _spec(spec).path
        return (path, f"{path}/.git/HEAD", f"{path}/.git/index")

    def runs_code(self, spec: Spec) -> bool:
        """To know where a branch is, an address that the module names has to be asked."""
        return spec.get("branch") is not None

    def glance(self, spec: Spec) -> None:
        """More than one file has to be read."""
        del spec

    def observe(self, spec: Spec, ports: Ports, *, verify: bool) -> GitObservation:
        """Return the commit, the local changes, and where the wanted revision is."""
        del verify
        checkout = _spec(spec)
        git = _git(checkout)
        git.refuse_place(ports)
        empty = _is_empty_directory(checkout.path, ports)
        tree = None if empty else git.look(ports)
        target, note = checkout.commit, None
        if checkout.tag is not None and tree is not None and not tree.foreign:
            target = git.tagged(checkout.tag, ports)
        if checkout.branch is not None and checkout.repo is not None:
            try:
                target = git.remote_branch(checkout.repo, checkout.branch, ports)
            except PortError as error:
                if tree is None:
                    raise
                note = str(error)  # cut off from the remote, local changes can still be seen
        if tree is None or tree.foreign:
            return GitObservation(tree, target, None, note, empty)
        if tree.head not in {target, "unborn"}:
            tree = msgspec.structs.replace(tree, stray=git.is_stray(ports))
        origin = git.origin(ports)
        return GitObservation(tree, target, origin, note, empty)

    def compare(self, spec: Spec, observation: Observation | None, context: Context) -> Difference:
        """Return create, update or none; error where somebody's changes would be lost."""
        del context
        checkout, found = _spec(spec), _found(observation)
        tree = found.tree
        if checkout.ensure == "absent":
            return self._absent(checkout, found)
        git, wanted = _git(checkout), _wanted(checkout)
        if tree is None:
            change = Change("revision", None, found.target or wanted)
            return Difference("create", (change,), steps=self._fetch(checkout, found))
        if tree.owner != (checkout.owner or tree.owner):
            message = f"{checkout.path} belongs to {tree.owner}; git runs as {checkout.owner}"
            return Difference("error", message=message)
        changes = _changes(checkout, found)
        if not changes:
            return Difference("none", message=found.note)
        if tree.changed and not checkout.force:
            message = f"{_named(tree)} changed in {checkout.path} and not committed"
            return Difference("error", changes, f"{message}; `force: true` would overwrite them")
        if found.note is not None and found.target is None:
            return Difference("update", changes, found.note, (git.restore(),))
        return Difference("update", changes, steps=self._fetch(checkout, found))

    def steps(self, spec: Spec, difference: Difference) -> tuple[Step, ...]:
        """Return what comparing has found to be done."""
        del spec
        return difference.steps

    def undo(self, spec: Spec, observation: Observation | None, applied: AppliedResource) -> Undo:
        """Return the removal of a checkout that we made and that holds nobody's work."""
        checkout = _spec(spec)
        if not isinstance(observation, GitObservation):
            return Undo(message="kept: what is in the checkout was not looked at")
        tree = observation.tree
        if tree is None:
            return Undo(message="forgotten: there is no checkout")
        if not applied.created:
            return Undo(message="kept: it was there before us")
        if (reason := tree.work) is not None and (tree.foreign or not checkout.force):
            return Undo(message=f"kept: {reason}")
        change = Change("revision", tree.head)
        return Undo(_git(checkout).delete(), (change,), "delete the checkout")

    def revert(
        self, spec: Spec, observation: Observation | None, copies: Mapping[str, str]
    ) -> tuple[Step, ...]:
        """Return the way back to the commit that was there, or to nothing; () if files go."""
        del copies
        checkout, found = _spec(spec), _found(observation)
        git, tree = _git(checkout), found.tree
        if checkout.ensure == "absent" or (tree is not None and tree.changed):
            return ()
        if tree is None:
            return git.delete()[:1] if found.empty else git.delete()
        back = git.checkout(tree.head)
        if found.origin is None or found.origin == checkout.repo:
            return (back,)
        return (git.set_origin(found.origin), back)

    def _absent(self, checkout: GitCheckoutSpec, found: GitObservation) -> Difference:
        tree = found.tree
        if tree is None:
            return Difference("none")
        if tree.foreign:
            message = f"{checkout.path} is not deleted: {tree.work}; name its `owner`"
            return Difference("error", message=message)
        if (reason := tree.work) is not None and not checkout.force:
            message = f"{checkout.path} is not deleted: {reason}; `force: true` would lose it"
            return Difference("error", message=message)
        changes = (Change("ensure", "present", "absent"), Change("revision", tree.head))
        return Difference("update", changes, steps=_git(checkout).delete())

    def _fetch(self, checkout: GitCheckoutSpec, found: GitObservation) -> tuple[Step, ...]:
        git, repo = _git(checkout), checkout.repo or ""
        steps: list[Step] = []
        if found.tree is None:
            if not found.empty:
                steps.append(MakeDirectory(checkout.path, owner=checkout.owner))
            steps.append(git.init())
        if found.origin != repo:
            steps.append(git.set_origin(repo))
        have = found.tree is not None and found.target == found.tree.head
        if not have and not (checkout.tag is not None and found.target is not None):
            steps.append(git.fetch(checkout.tag, checkout.branch, checkout.depth))
        revision = found.target or f"refs/tags/{checkout.tag}"
        if checkout.verify_commit:
            steps.append(git.verify(revision, checkout.allowed_signers))
        if checkout.force and found.tree is not None and found.tree.changed:
            steps.append(git.restore())
        steps.append(git.checkout(revision))
        return tuple(steps)


def _spec(spec: Spec) -> GitCheckoutSpec:
    return msgspec.convert(spec, GitCheckoutSpec)


def _git(checkout: GitCheckoutSpec) -> Git:
    return Git(checkout.path, checkout.owner)


def _found(observation: Observation | None) -> GitObservation:
    if not isinstance(observation, GitObservation):
        raise TypeError(f"git-checkout was handed {type(observation).__name__}")
    return observation


def _wanted(checkout: GitCheckoutSpec) -> str:
    return checkout.commit or checkout.tag or checkout.branch or ""


def _named(tree: Worktree) -> str:
    names = ", ".join(tree.changed[:_NAMED])
    more = len(tree.changed) - _NAMED
    return f"{names} and {more} more" if more > 0 else names


def _changes(checkout: GitCheckoutSpec, found: GitObservation) -> tuple[Change, ...]:
    tree = found.tree
    if tree is None:
        return ()
    changes: list[Change] = []
    if found.origin != checkout.repo:
        here = git_tools.shown_address(found.origin)
        changes.append(Change("repo", here, checkout.repo))
    unknown = found.target is None and found.note is None  # a tag that is not here yet
    if unknown or found.target not in {None, tree.head}:
        changes.append(Change("revision", tree.head, found.target or _wanted(checkout)))
    if tree.changed:
        changes.append(Change("changed", _named(tree)))
    return tuple(changes)


def _is_empty_directory(path: str, ports: Ports) -> bool:
    stat = ports.files.stat(path)
    return stat is not None and stat.type == "directory" and ports.files.is_empty(path)
