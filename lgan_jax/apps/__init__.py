"""Commands and a web page that use trained runs."""
