"""Parts of the benchmarks of the ledger: clients in processes of their own, yardsticks, and made-up books."""
