"""Questions, one file each; the file name is the policy id with underscores."""
