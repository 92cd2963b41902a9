"""What a person can do: the stages of the pipeline, run on what the workspace keeps.

One function an action, named by ids or names, the same for the command, the worker and the pages.
"""
