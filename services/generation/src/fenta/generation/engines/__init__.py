"""The engines: each makes real media out of a request, alone, without a network, the same for the same request."""
