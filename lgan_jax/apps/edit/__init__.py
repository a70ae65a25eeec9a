"""The landmark editor: a page in the browser on which landmarks are moved and the face made of them follows."""
