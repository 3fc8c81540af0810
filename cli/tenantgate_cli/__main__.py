"""`python -m tenantgate_cli`: the `tenantgate` command."""

from tenantgate_cli.entry import app

if __name__ == "__main__":
    app()
