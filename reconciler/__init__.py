"""Tells a company, every night and with proof, whose accounts should not be there."""
