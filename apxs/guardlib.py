# SPDX-License-Identifier: Apache-2.0
"""What the source guards share. A guard takes the source folder, prints "file:line: fault" for each fault, exits 1 on any."""
import os
import re
import sys


class Guard:
    def __init__(self):
        # As a test of make check there are no arguments: automake exports srcdir and runs it in the build folder.
        self.src = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("srcdir", "")
        self.build = sys.argv[2] if len(sys.argv) > 2 else "."
        if not os.path.isdir(os.path.join(self.src, "modules")):
            sys.exit("usage: %s SRCDIR [BUILDDIR]" % sys.argv[0])
        self.faults = 0
        self.seen = 0

    def fault(self, path, line, text):
        self.faults += 1
        print("%s:%d: %s" % (path, line, text))

    def end(self, what):
        """what: the things that were looked at. Having seen none is a fault: a guard that looks nowhere finds nothing."""
        if self.seen == 0:
            print("%s: saw no %s at all" % (os.path.basename(sys.argv[0]), what))
            sys.exit(1)
        if self.faults == 0:
            print("%s: %d %s, no fault" % (os.path.basename(sys.argv[0]), self.seen, what))
        sys.exit(1 if self.faults else 0)

    def read(self, path):
        with open(os.path.join(self.src, path), encoding="utf-8") as f:
            return f.read()

    def exists(self, path):
        return os.path.exists(os.path.join(self.src, path))

    def files(self, top, pattern):
        """Relative paths below top whose base name matches pattern, sorted."""
        found = []
        for folder, dirs, names in os.walk(os.path.join(self.src, top)):
            dirs[:] = [d for d in dirs if d not in ("node_modules", "__pycache__", ".git")]
            rel = os.path.relpath(folder, self.src)
            found += [os.path.join(rel, n) for n in names if re.fullmatch(pattern, n)]
        return sorted(found)


TOKEN = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)


def without_comments(text):
    """C text with its comments blanked; lines keep their numbers, strings stay."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group()) if m.group()[0] == "/" else m.group(), text)


def without_strings(text):
    """C text without comments and with the contents of its strings blanked."""
    return TOKEN.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def line_of(text, pos):
    return text.count("\n", 0, pos) + 1
