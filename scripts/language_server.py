#!/usr/bin/env python3
"""An OpenAI-compatible server for a model on this machine, of llama.cpp: `language_server.py MODEL PORT`.

It answers on the loopback interface alone, two requests at once, until it is killed; `scripts/models.py llm` fetches
the package and a model.
"""

import sys
import threading

import xllamacpp

if __name__ == "__main__":
    model, port = sys.argv[1:]
    parameters = xllamacpp.CommonParams()
    parameters.model.path = model
    parameters.hostnames = ["127.0.0.1"]
    parameters.port = int(port)
    parameters.n_ctx = 8192
    parameters.n_parallel = 2
    server = xllamacpp.Server(parameters)
    print(server.listening_address, flush=True)
    threading.Event().wait()
