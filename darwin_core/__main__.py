"""``python -m darwin_core`` is the same as ``darwin``."""

from darwin_core.cli import main

if __name__ == "__main__":
    main()
