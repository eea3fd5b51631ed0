"""What executes attempts. One contract (`contract.py`), several ways: local processes, a dry run, a script."""
