"""What the tests of the editor's page share. `small_editor` is imported where it is used: it needs the extra [edit]."""

import pytest


@pytest.fixture(scope="module")
def browser():
    import small_editor

    with small_editor.browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def known():
    import small_editor

    return small_editor.known(each=20)


@pytest.fixture(scope="module")
def address(known):
    import small_editor

    with small_editor.served(small_editor.studio(small_editor.model(), known)) as address:
        yield address
