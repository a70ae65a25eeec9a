"""What the tests of the editor's page share."""

import pytest


@pytest.fixture(scope="module")
def browser():
    import small_editor  # only here: it needs the extra [edit]

    with small_editor.browser() as opened:
        yield opened
