"""A single-node broker that speaks the Kafka protocol and keeps its log on disk."""
