"""What the parts say to each other: messages, decisions, roster, session, run reducer.

Everything here is pure: it does no I/O, reads no clock and logs nothing.
Both sides import this package; it imports neither of them.
"""
