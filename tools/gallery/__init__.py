"""Contact sheets of what the renderer can do, each cell composed by the renderer itself from a timeline."""
