"""Graphs, jobs and steps: what is asked becomes work, and work becomes a finished job."""
