"""Live updates: what happens to a job, numbered, kept, and told to every stream that listens."""
