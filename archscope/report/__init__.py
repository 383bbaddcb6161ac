"""Show results: as tables first, then in a file per output format."""

from archscope.callable_package import make_callable

make_callable(__name__)
