"""`python -m mechkit`: the command line."""

from mechkit.cli import main

if __name__ == "__main__":
    main()
