"""The demo: a bank's credit-risk table, the reference network trained for it, and the decisions of a compaction run."""
