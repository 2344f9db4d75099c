"""Plans, prices, holds and the ledger."""
