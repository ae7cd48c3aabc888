"""What a deployment needs on the operator's machine: `python3 scripts/deployment doctor|push|deploy|delete|drop-peer|rotate|check-build|check-engine`.

Only the standard library (Python 3.9 or newer), the AWS CLI and the SAM CLI. `make` calls it; the environment says what is
wanted (`choices.py`). Every way out is a sentence: a refusal of AWS is never a stack trace.
"""

import importlib
import sys

from choices import Choices
from cli import AwsError, Refusal

COMMANDS = ("doctor", "push", "deploy", "delete", "drop-peer", "rotate", "check-build", "check-engine")


def main(arguments):
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        return f"usage: python3 scripts/deployment {'|'.join(COMMANDS)}"
    try:
        choices = Choices.read()
        if arguments[0].startswith("check-"):
            return getattr(importlib.import_module("machine"), arguments[0].replace("-", "_"))(choices)
        return importlib.import_module(arguments[0].replace("-", "_")).run(choices)
    except Refusal as refusal:
        return str(refusal)
    except AwsError as error:
        return f"AWS refuses what this needs: {error}. Mend it (permissions? network?) and run this again"
    except KeyboardInterrupt:
        return "stopped; run the same command again to go on"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
