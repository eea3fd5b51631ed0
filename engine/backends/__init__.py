"""What executes attempts. One contract (`contract.py`) and its ways: local processes, a dry run, a script."""
