# SPDX-License-Identifier: Apache-2.0
"""A daemon that says what a test wants said: Varlink on a Unix socket, in threads."""

import json
import socket
import threading

INTERFACE = "org.factord.Authenticator"


class Error(Exception):
    """Raised by an answer: an error reply."""

    def __init__(self, name, **parameters):
        super().__init__(name)
        self.name = name if "." in name else f"{INTERFACE}.{name}"
        self.parameters = parameters


class FakeDaemon:
    """answers: by operation, the reply's parameters; a list of them for several replies; a function
    of the call's parameters that gives either (or raises Error); or None, for no answer at all."""

    def __init__(self, path, answers):
        self.path = str(path)
        self.answers = answers
        self.calls = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(self.path)
        self._listener.listen()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._connections = []
        self._threads[0].start()

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection):
        buffer = b""
        try:
            while chunk := connection.recv(65536):
                buffer += chunk
                while b"\0" in buffer:
                    message, buffer = buffer.split(b"\0", 1)
                    self._call(connection, json.loads(message))
        except OSError:
            pass
        finally:
            connection.close()

    def _call(self, connection, call):
        interface, operation = call["method"].rsplit(".", 1)
        assert interface == INTERFACE
        parameters = call["parameters"]
        self.calls.append((operation, parameters, call.get("more", False)))
        answer = self.answers[operation]
        try:
            if callable(answer):
                answer = answer(parameters)
        except Error as e:
            self._send(connection, {"error": e.name, "parameters": e.parameters})
            return
        if answer is None:
            return
        answers = answer if isinstance(answer, list) else [answer]
        for i, one in enumerate(answers):
            reply = {"parameters": one}
            if i + 1 < len(answers):
                reply["continues"] = True
            self._send(connection, reply)

    @staticmethod
    def _send(connection, reply):
        connection.sendall(json.dumps(reply, ensure_ascii=False).encode() + b"\0")

    def stop(self):
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join()
