"""The asset library: filled by events, read by people."""
