"""The resource kinds, one file each under the name that a user types. Pure: no I/O, no clock."""
