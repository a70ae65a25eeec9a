"""The editor: a page in the browser on which landmarks or action units are moved, and the face follows."""
