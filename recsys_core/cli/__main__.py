"""`python -m recsys_core.cli`, for where no script is installed."""

from recsys_core.cli import main

if __name__ == "__main__":
    main()
