"""Serves a page in the browser, on which landmarks or action units are edited and the faces follow."""
