"""Heads: ways to write parameters from token states. One file each; the table is in `hyperir.hypernet`."""
