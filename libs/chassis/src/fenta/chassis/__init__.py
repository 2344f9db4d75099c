"""What no service should write twice: consumer, outbox, tasks, database, HTTP, storage, telemetry."""
