"""The four kinds of things that a host remembers, all in one database, handed around together."""

from __future__ import annotations

from dataclasses import dataclass

from agent.database import Database
from agent.journal import Journal
from agent.ledger import Ledger
from agent.trust import Trust


@dataclass(frozen=True, slots=True)
class Memory:
    """The database of one host and what is kept in it; a job may use all of it in one write."""

    database: Database
    journal: Journal
    ledger: Ledger
    trust: Trust
