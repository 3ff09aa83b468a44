"""The chosen network in other runtimes' formats, each held against the network it was made from.

    network --look-ups cut off--> numeric core --process: convert--> file --process: the format's runtime--> record

Conversion and measurement have a process of their own each: converters were seen to crash, native code and all, and a
search of hours must not go with them. And the process that measures proves that a file needs neither Keras nor Darwin's
engine, so nothing here may be imported eagerly.
"""
