"""What the coordinator keeps: tables, one file per table family, and the one door to the database.

No rule about who may do what lives here; that is `coordinator.domain`.
"""
