"""Client histories: recorded, decided (linearizable or not), and drawn where they are wrong.

This room knows nothing of specs, of nodes or of the network: what clients saw is evidence of
its own, and is judged by a sequential model of the service alone.
"""
