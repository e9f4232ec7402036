"""What a conversion ends with, in the words of the termination message."""

import json

FORMAT_NOT_SERVABLE = "FormatNotServable"
PARITY_FAILED = "ParityFailed"
INVALID_MODEL = "InvalidModel"
TIMEOUT = "ConversionTimeout"
OUT_OF_MEMORY = "OutOfMemory"
INTERNAL_ERROR = "InternalError"
REASONS = (FORMAT_NOT_SERVABLE, PARITY_FAILED, INVALID_MODEL, TIMEOUT, OUT_OF_MEMORY, INTERNAL_ERROR)

# Doing it again would end the same way.
TERMINAL = (FORMAT_NOT_SERVABLE, PARITY_FAILED, INVALID_MODEL, TIMEOUT)
EXIT_TERMINAL = 65
EXIT_FAILED = 1

MAX_MESSAGE = 1000
# A kubelet keeps 12 KiB for all messages of a pod, cut into equal parts.
MAX_TERMINATION = 3072


class ConversionFailed(Exception):
    """The conversion ended; `reason` is one of REASONS, `message` is for people."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason
        self.message = message

    @property
    def exit_code(self):
        """What the program exits with."""
        return EXIT_TERMINAL if self.reason in TERMINAL else EXIT_FAILED


def cut(text, limit=MAX_MESSAGE):
    """The text as one line for people: what is no printable character becomes a space, and no more than `limit` of them."""
    line = " ".join("".join(c if c.isprintable() else " " for c in str(text)[: 8 * limit]).split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def termination(reason, message):
    """The termination message; as long as each of a pod's four containers may have one, whatever the message holds."""
    text = cut(message)
    while True:
        encoded = json.dumps({"stage": "convert", "reason": reason, "message": text}).encode()
        if len(encoded) <= MAX_TERMINATION:
            return encoded
        text = text[: len(text) * 3 // 4]
