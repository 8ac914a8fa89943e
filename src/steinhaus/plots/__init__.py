"""Charts of clusterings on Matplotlib's axes, from plain arrays. The report's figures and the displays share them.

The caller makes the axes and writes the title.
"""
