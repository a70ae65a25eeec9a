"""What a command says of a user's mistake."""

from lgan_jax import cli


def refused(main, capsys, *arguments):
    """The one line that a command prints before it ends with status 2."""
    status = cli.run(lambda: main([str(each) for each in arguments]), "program")
    lines = capsys.readouterr().err.splitlines()
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("program: ")
    return lines[0]
