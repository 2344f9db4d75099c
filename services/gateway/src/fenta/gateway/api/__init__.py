"""Routes: thin, one file per resource."""
