"""One operator per step. They hold no logic of compaction: each carries its step through a launcher."""
