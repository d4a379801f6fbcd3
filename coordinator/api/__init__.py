"""The HTTP API: one file per endpoint family, thin over the domain function of the same name."""
