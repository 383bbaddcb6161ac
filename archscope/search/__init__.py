"""Architecture search: a strategy proposes networks of a space and executors train them."""

from archscope.callable_package import make_callable

make_callable(__name__)
