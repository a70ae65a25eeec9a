"""Photos, videos and sound as people have them: what a file is, by its contents, and how it is read."""
