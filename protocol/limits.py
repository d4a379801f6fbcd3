"""Every bound of the protocol in one place, with its arithmetic. Full means refuse, visibly."""

from __future__ import annotations

# One link frame. A module is at most 256 KiB, so an offer with three of them still fits.
MAX_FRAME = 1_048_576
# One module file: 1,000 resources of 250 bytes.
MAX_MODULE = 262_144
# All modules of one offer: a frame less 128 KiB for decision, roster and digests.
MAX_OFFER_MODULES = MAX_FRAME - 131_072
# One journal message: at most this many entries and, with their bodies, half a frame.
MAX_JOURNAL_ENTRIES = 256
MAX_JOURNAL_BATCH = 524_288
# One artifact chunk in a journal entry: two fit a batch.
ARTIFACT_CHUNK = 196_608
# One part of an artifact on its way to a host: half a frame.
ARTIFACT_PART = 524_288
# One artifact: a plan of 10,000 resources with diffs is about 10 MiB.
MAX_ARTIFACT = 67_108_864
# An API body: a module as JSON text doubles at worst when escaped.
MAX_BODY = 1_048_576
# Nodes that one decision names one by one: 1,000 x 38 bytes is 38 KiB of payload.
MAX_DECISION_NODES = 1_000
# Nodes that one decision names by the root of a tree: ten fleets of 100,000.
MAX_DECISION_TREE = 1_048_576
# Operators in a roster and versions in one roster message: 200 x 300 bytes is 60 KiB.
MAX_OPERATORS = 200
MAX_ROSTER_CHAIN = 512
# Signatures on one envelope: a quorum of more than 16 people is not a quorum.
MAX_SIGNATURES = 16
# Items that one offer approves: 10,000 x 32 bytes is 320 KB.
MAX_APPROVED_ITEMS = 10_000
# Ids and names that a message carries: run ids are ULIDs or UUIDs, names have at most 64
# characters. Eight leases of this length fit a heartbeat many times over.
MAX_ID = 128
# Sentences and scopes in a message: three names of a scope, or a kilobyte of text in UTF-8.
MAX_TEXT = 4_096
# Strings that people type: comments, names of hosts.
MAX_COMMENT = 1_024
MAX_HOSTNAME = 253

# Ping every 15 s, dead after three missed ones (design, section 5).
HEARTBEAT_SECONDS = 15.0
DEAD_SECONDS = 45.0
# The handshake is four messages; a slow satellite link needs under 3 s.
HANDSHAKE_SECONDS = 20.0
# Reconnect: 1 s, doubled, at most 60 s, full jitter, reset after 60 s of a stable session.
RECONNECT_BASE = 1.0
RECONNECT_CAP = 60.0
RECONNECT_STABLE = 60.0
# Clocks of hosts and operators may differ by this much before a decision is "not yet valid".
CLOCK_SKEW_SECONDS = 60.0
# A decision lives for at most 30 days; the client's default is one hour.
MAX_DECISION_SECONDS = 30 * 86_400
# A log-in challenge is answered by a program, not a person.
CHALLENGE_SECONDS = 60
# Steps that a node may hold offered at once: it runs one at a time, the rest is its queue.
MAX_OFFERS = 8
