"""One command's session: the profile chosen, what is pinned of it, the log-in, the roster.

It is the only place that moves a pin, and it does so only with a person's or a flag's yes.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from client import audit, certificate, clock, login, operator_key, profiles, roster_cache
from client.api import Api
from client.failures import AuthError, BadUsageError, ClientError, UntrustedError
from client.profiles import Profile, Profiles
from client.questions import confirm, is_interactive
from client.render.output import Output, make_output
from client.transport import Transport
from protocol import roster
from protocol.api import RosterResponse
from protocol.errors import InvalidName
from protocol.handshake import follow_rotations
from protocol.ids import check_hex64
from protocol.keys import SigningKey
from protocol.reasons import Reason, Refused
from protocol.roster import TrustedRoster

# 64 answers of up to 512 versions each; a coordinator that always says "more" is not followed.
MAX_ROSTER_ROUNDS = 64
RECOVERED = (
    "CRITICAL: recovery keys, and not the admins, have signed the roster up to version {version};"
    " if that was not agreed on, stop here and ask: standfast roster show"
)


class Settings(msgspec.Struct):
    """The global options as far as they are read; each command line makes one."""

    profile: str | None = None
    url: str | None = None
    config_dir: str | None = None
    as_json: bool = False
    no_color: bool = False


class Session:
    """What a command works with; `close` ends its connections."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.directory: Path = profiles.config_dir(os.environ, settings.config_dir)
        self.out: Output = make_output(
            os.environ, as_json=settings.as_json, no_color=settings.no_color, now=clock.now()
        )
        self._profile: Profile | None = None
        self._key: SigningKey | None = None
        self._api: Api | None = None
        self._transport: Transport | None = None
        self._current: str | None = None
        # Given to a program that has no operator's key; it signs nothing.
        self._given = os.environ.get("STANDFAST_TOKEN") or None

    def close(self) -> None:
        """End the connections."""
        if self._transport is not None:
            self._transport.close()

    @property
    def has_token(self) -> bool:
        """Say whether an API token was given instead of a log-in."""
        return self._given is not None

    @property
    def key(self) -> SigningKey:
        """The operator's key."""
        if self._key is None:
            self._key = operator_key.load(self.directory)
        return self._key

    def act_with(self, key: SigningKey) -> None:
        """Log in and sign with this key in what follows."""
        self._key, self._current = key, None

    @property
    def profile(self) -> Profile:
        """The profile in use, by --profile, --url or the default."""
        if self._profile is None:
            self._profile = choose(profiles.load(self.directory), self.settings)
        return self._profile

    def keep(self, profile: Profile) -> None:
        """Store a changed profile and go on with it.

        An address given by --url for a stored profile is for this command only.
        """
        stored = profiles.load(self.directory)
        known = next((one for one in stored.profiles if one.name == profile.name), profile)
        profiles.save(self.directory, stored.put(msgspec.structs.replace(profile, url=known.url)))
        self._profile = profile

    @property
    def api(self) -> Api:
        """The coordinator's API: certificate and key pinned, log-in when first needed."""
        if self._api is None:
            self._pin_certificate()
            self._transport = Transport(self.profile.url, self.profile.fingerprint)
            made = Api(self._transport, self._token)
            if not self.profile.coordinator_key:
                self._pin_coordinator(made)
            self._api = made
        return self._api

    def trusted(self) -> TrustedRoster:
        """Return the newest roster that follows from the one pinned here.

        Raises:
            UntrustedError: the coordinator offers an older one, or one that does not follow.
            BadUsageError: none is pinned yet and nobody can be asked.
        """
        held = roster_cache.load(self.directory, self.profile.name)
        for _ in range(MAX_ROSTER_ROUNDS):
            answer = self.api.roster(held.roster.version if held is not None else 0)
            if held is None and not answer.chain:
                held = self._found_roster()
                continue
            pinned = self.profile.roster or None
            if held is None and pinned is None:
                newest = self._first_roster(answer)
            else:
                newest = _taken(roster_cache.advance(held, pinned, answer), self.profile.url)
            moved = held is None or newest.roster.version > held.roster.version
            held = newest
            if newest.recovered:
                self.out.note(RECOVERED.format(version=newest.roster.version))
            if moved:
                roster_cache.save(self.directory, self.profile.name, newest)
            if newest.roster.version == answer.version:
                return newest
            if not moved:
                break
        raise UntrustedError(
            f"{self.profile.url} claims a newer roster than it can show",
            next_command="standfast status",
            code="roster_withheld",
        )

    def entropy(self) -> bytes:
        """Return the random part of a new decision id."""
        return secrets.token_bytes(10)

    def now(self) -> float:
        """Return the time."""
        return clock.now()

    def follow_rotation(self) -> bool:
        """Pin the successor that the pinned coordinator key has named, if it has named one."""
        pinned = bytes.fromhex(self.profile.coordinator_key)
        found = follow_rotations(pinned, self.api.status().rotations)
        if found == pinned:
            return False
        self.keep(msgspec.structs.replace(self.profile, coordinator_key=found.hex()))
        self.out.note(
            f"the coordinator has a new key, which the old one named: {found.hex()[:16]}…"
        )
        return True

    # --- pins

    def _pin_certificate(self) -> None:
        profile = self.profile
        if not profile.url.startswith("https:") or profile.fingerprint:
            return
        parts = urlsplit(profile.url)
        found = certificate.fetch_fingerprint(parts.hostname or "", parts.port or 443)
        if not is_interactive():
            raise BadUsageError(
                f"the certificate of {profile.url} is not pinned yet",
                where=f"it shows sha256:{found}",
                next_command="compare it with `standfast-coordinator show-key` on its host, then: "
                f"standfast profile create {profile.name} --url {profile.url} "
                f"--fingerprint {found}",
                code="certificate_unknown",
            )
        confirm(
            f"{profile.url} shows the certificate\n  sha256:{found}\n"
            "Is it the one that `standfast-coordinator show-key` prints there?",
            yes=False,
        )
        self.keep(msgspec.structs.replace(profile, fingerprint=found))

    def _pin_coordinator(self, api: Api) -> None:
        found = api.status().public_key
        try:
            check_hex64(found, "the coordinator's key")
        except InvalidName as error:
            raise UntrustedError(
                f"{self.profile.url}: {error}", code="not_a_coordinator"
            ) from error
        # Its certificate has been vouched for, and the key came under it.
        self.keep(msgspec.structs.replace(self.profile, coordinator_key=found))

    # --- log-in and roster

    def _token(self, fresh: bool) -> str:
        if self._given is not None:
            if fresh:
                raise AuthError(
                    "the coordinator does not take the token in STANDFAST_TOKEN: it was revoked,"
                    " it has ended, or it is of another coordinator",
                    next_command="an admin: standfast tokens list",
                    code="token_refused",
                )
            return self._given
        now = clock.now()
        if self._current is None and not fresh:
            self._current = login.load_token(self.directory, self.profile, self.key, now)
        if self._current is None or fresh:
            token = self._log_in(now)
            login.save_token(self.directory, self.profile, token)
            self._current = token.token
            self._after_login()
        return self._current

    def _log_in(self, now: float) -> login.Token:
        try:
            return login.log_in(self.api, self.profile, self.key, now)
        except UntrustedError as error:
            if error.code != "coordinator_key_changed" or not self.follow_rotation():
                raise
        return login.log_in(self.api, self.profile, self.key, now)

    def _after_login(self) -> None:
        audit.watch(self)
        # The first log-in at a coordinator without a roster brings it one.
        if roster_cache.load(self.directory, self.profile.name) is not None:
            return
        own = roster_cache.load_own(self.directory)
        if own is None:
            return
        answer = self.api.roster(0)
        if answer.version == 0 and not answer.chain:
            self._found_roster()

    def _found_roster(self) -> TrustedRoster:
        own = roster_cache.load_own(self.directory)
        if own is None:
            raise ClientError(
                f"{self.profile.url} has no roster, and there is none here to give it",
                next_command="standfast operator init --username NAME, as the first operator",
                code="roster_unknown",
            )
        trusted = _taken(roster.verify_first(own, None), self.profile.url)
        self.api.post_roster(own)
        roster_cache.save(self.directory, self.profile.name, trusted)
        self.out.note(f"gave {self.profile.url} its first roster (sha256:{trusted.digest[:16]})")
        return trusted

    def _first_roster(self, answer: RosterResponse) -> TrustedRoster:
        own = roster_cache.own_digest(roster_cache.load_own(self.directory))
        ours = roster_cache.advance(None, own, answer) if own is not None else None
        if isinstance(ours, TrustedRoster):
            return ours
        if isinstance(ours, Refused) and ours.reason is not Reason.ROSTER_UNKNOWN:
            raise roster_cache.refusal(ours, self.profile.url)
        newest = _taken(roster_cache.first_contact(answer), self.profile.url)
        if newest.roster.version != answer.version or newest.digest != answer.digest:
            raise UntrustedError(
                f"{self.profile.url} claims another roster than it shows", code="roster_withheld"
            )
        admins = ", ".join(one.username for one in newest.roster.operators if one.role == "admin")
        shown = f"roster version {newest.roster.version}, sha256:{newest.digest}, admins: {admins}"
        if not is_interactive():
            raise BadUsageError(
                f"the roster of {self.profile.url} is not pinned yet, so nothing can be signed",
                where=shown,
                next_command="compare it with an admin's `standfast operator whoami`, then: "
                f"standfast profile update {self.profile.name} --roster {newest.digest}",
                code="roster_unpinned",
            )
        own_note = "It is not the roster that you made here. " if own is not None else ""
        confirm(
            f"{self.profile.url} has a {shown}\n{own_note}"
            "Does an admin's `standfast operator whoami` show the same digest?",
            yes=False,
        )
        return newest


def choose(stored: Profiles, settings: Settings) -> Profile:
    """Return the profile that the global options mean.

    Raises:
        NotFoundError: there is none of that name.
        BadUsageError: nothing says which coordinator is meant.
    """
    url = profiles.normal_url(settings.url) if settings.url else None
    if settings.profile:
        profile = stored.find(settings.profile)
        return msgspec.structs.replace(profile, url=url) if url else profile
    if url:
        name = profiles.name_for(url)
        known = [one for one in stored.profiles if one.url == url or one.name == name]
        return msgspec.structs.replace(known[0], url=url) if known else Profile(name, url)
    if stored.default is None:
        raise BadUsageError(
            "no coordinator is known yet",
            next_command="standfast profile create NAME --url https://HOST:PORT",
            code="no_profile",
        )
    return stored.find(stored.default)


def _taken(found: TrustedRoster | Refused, url: str) -> TrustedRoster:
    if isinstance(found, Refused):
        raise roster_cache.refusal(found, url)
    return found
