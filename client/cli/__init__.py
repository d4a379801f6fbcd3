"""The commands of `standfast`, one file per group, imported when the group is used."""
