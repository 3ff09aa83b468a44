"""Explanation: how both networks decide, in raw columns or pixels and in plain words, and what is wrong with the data.

* ``attribution``: one method per module behind one abstract base.
* ``checks``: data checks behind one abstract base, open to users.
* ``tables`` and ``images``: from attributions to what a person reads.
"""
