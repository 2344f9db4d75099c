"""People and how they sign in: passwords, sign-ins, refresh tokens."""
