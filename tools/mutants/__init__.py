"""Planted faults: small patches, each of which a named test must catch. `make mutants` runs them all."""
