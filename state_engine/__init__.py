"""The idempotent state engine: language, engine, resource kinds; `host/` makes its ports real.

Outside `host/` and `cli/` it is pure: the system is seen and changed through `ports.Ports` only.
"""
