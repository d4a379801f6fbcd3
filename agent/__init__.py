"""The daemon on a host: it verifies, applies, watches and reports, also when it is cut off."""
