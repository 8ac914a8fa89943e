"""Run the command `steinhaus` by `python -m steinhaus`."""

from steinhaus.cli import run

if __name__ == "__main__":
    run()
