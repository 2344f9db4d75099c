"""The way to the owners: what is passed on, as whom, and what an owner that is away looks like."""
