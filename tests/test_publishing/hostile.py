"""Loads artefacts one after the other under an audit hook, and prints what each gave and what was done meanwhile.

Started as ``python -m tests.test_publishing.hostile FOLDER...``; what counts is what happens after everything of ours
has been imported: a good artefact is loaded first.
"""

import json
import os
import pickle
import sys

EXECUTING = (
    "exec",
    "compile",
    "import",
    "pickle.find_class",
    "marshal.loads",
    "code.__new__",
    "ctypes.dlopen",
)
REACHING = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "shutil.",
)
CONTROL = "what the hook sees of a pickle that runs a command"
OUTSIDE = ("subprocess.Popen", "socket.", "urllib.Request", "webbrowser.open")


def main(good: str, *folders: str) -> None:
    from kdbench.publishing import load

    load(good)
    events: list[str] = []

    def watch(event: str, arguments: tuple) -> None:
        if event.startswith((*EXECUTING, *REACHING, *OUTSIDE)):
            events.append(f"{event} {arguments[0]!r:.80}")
        if event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+"):
            events.append(f"open for writing {arguments[0]!r:.80}")

    sys.addaudithook(watch)
    for folder in folders:
        events.clear()
        try:
            load(folder)
            found = {"error": None}
        except Exception as error:
            found = {"error": type(error).__name__, "message": str(error)}
        print(json.dumps({"folder": folder, **found, "events": list(events)}))
    events.clear()
    pickle.loads(b"cos\nsystem\n(S'true'\ntR.")
    open(os.devnull, "w").close()
    print(json.dumps({"folder": CONTROL, "events": list(events)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
