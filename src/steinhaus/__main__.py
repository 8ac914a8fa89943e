"""`python -m steinhaus` is the command `steinhaus`."""

from steinhaus.cli import run

if __name__ == "__main__":
    run()
