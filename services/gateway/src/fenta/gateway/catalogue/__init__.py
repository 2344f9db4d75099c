"""What the whole system says of itself: one OpenAPI, its page, and how each service is."""
