"""What is kept: the workspace's folders, the catalogue of what is in them, and the jobs that fill them."""
