"""Remedies, one file each."""
