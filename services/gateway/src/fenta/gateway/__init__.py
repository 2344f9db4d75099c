"""The one public door: identity, organisations, assets, live updates, and the way to every other service."""
