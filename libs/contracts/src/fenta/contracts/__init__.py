"""What crosses a border between services: events, topics, node types, documents, prices of work in units."""
