"""(docstring to be written by the room owner)"""
