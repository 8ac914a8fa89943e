"""Charts of clusterings on Matplotlib's axes, from plain arrays: drawn once, for the report's figures and for displays.

Who calls them makes the axes, and says in a title what is drawn.
"""
