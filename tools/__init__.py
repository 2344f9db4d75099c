"""What builds and measures the house, beside the services."""
