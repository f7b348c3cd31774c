"""`python -m lasso_trio` is the `lasso` command."""

from lasso_trio.cli import main

if __name__ == "__main__":
    main(prog_name="lasso")
