"""Makes sure of the tests' servers before pytest starts, so that a long first build is seen."""

import sys

from tests.services import choose
from tests.services.server import ServiceMissingError

if __name__ == "__main__":
    try:
        print(f"services: {choose.prepare()}")
    except ServiceMissingError as error:
        sys.exit(f"services: {error}" + ("" if str(error) == choose.HELP else f"\n{choose.HELP}"))
