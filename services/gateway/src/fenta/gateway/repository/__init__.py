"""Every SQL statement of the gateway: constant text, bound values."""
