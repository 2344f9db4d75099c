"""Credentials: access tokens, sessions' JWTs, and who stands behind a request."""
