"""The lab: a page on which the descent moves with the hand.

A thin layer over the library: the browser says which settings and rows, the library fits, and
what it did goes back as one binary frame. Not here: any mathematics.
"""

from thalweg.lab.launch import serve

__all__ = ["serve"]
