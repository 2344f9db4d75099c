"""The one-machine stack: Postgres, Kafka-protocol broker, object store, supervisor, and the fenta command."""
