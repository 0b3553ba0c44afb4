"""Remedies, one per file: from a finding to the changes that would clear it, or to a task for a person."""
