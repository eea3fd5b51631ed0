"""Running one run: the loop that claims tasks, starts attempts and settles what came of them.

It decides nothing by itself: order comes from the scheduler, delays from the retry rules, legality from the state
tables. It touches the world through a backend and memory through the journal.
"""
