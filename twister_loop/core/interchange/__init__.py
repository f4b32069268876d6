"""Conversion of utterances for other libraries; `Manifest` has the methods that users call.

Each module is the only one that imports its library, and imports it where it converts.
"""
