"""Signed webhooks: endpoints, deliveries, attempts."""
