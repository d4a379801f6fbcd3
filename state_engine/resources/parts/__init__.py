"""What several kinds are made of: file formats, version rules, parts of files. No kind is here."""
