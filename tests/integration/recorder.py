# SPDX-License-Identifier: Apache-2.0
"""A door before one or more sandboxes: passes requests on and notes when each came and went."""

import asyncio
import re
import threading
import time


class Exchange:
    """One request: method, path, came and went (monotonic; went is None while it is open)."""

    def __init__(self, method, path):
        self.method, self.path = method, path
        self.came, self.went = time.monotonic(), None

    @property
    def is_list(self):
        return self.method == "GET" and re.search(r"/Challenges(\?|$)", self.path)

    @property
    def service(self):
        return re.search(r"/Services/(VA\w+)", self.path).group(1)


class Recorder:
    """Chooses the sandbox by the service in the path. Its url is the daemon's BaseUrl."""

    def __init__(self, *sandboxes):
        self.ports = {sandbox.service_sid: sandbox.port for sandbox in sandboxes}
        self.exchanges = []
        self.in_flight = self.most_in_flight = 0
        self.loop = asyncio.new_event_loop()
        self.open = asyncio.Event()
        self.open.set()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.server = self._run(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    def close(self):
        async def end():
            self.server.close()
            tasks = [t for t in asyncio.all_tasks() if t is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        self._run(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    # What tests do.

    def clear(self):
        self.exchanges = []
        self.most_in_flight = self.in_flight

    def hold(self):
        """From now on replies wait, until let_go()."""
        self.loop.call_soon_threadsafe(self.open.clear)

    def let_go(self):
        self.loop.call_soon_threadsafe(self.open.set)

    def lists(self):
        """The list requests so far, oldest first."""
        return [e for e in list(self.exchanges) if e.is_list]

    # The server.

    async def _serve(self, reader, writer):
        behind = {}
        try:
            while head := await self._read_head(reader):
                exchange = Exchange(*head.split(b" ", 2)[:2])
                exchange.method, exchange.path = exchange.method.decode(), exchange.path.decode()
                self.exchanges.append(exchange)
                self.in_flight += 1
                self.most_in_flight = max(self.most_in_flight, self.in_flight)
                try:
                    body = await reader.readexactly(self._length(head))
                    port = self.ports[exchange.service]
                    if port not in behind:
                        behind[port] = await asyncio.open_connection("127.0.0.1", port)
                    source, sink = behind[port]
                    sink.write(head + body)
                    reply = await self._read_head(source)
                    reply += await source.readexactly(self._length(reply))
                    await self.open.wait()
                finally:
                    exchange.went = time.monotonic()
                    self.in_flight -= 1
                writer.write(reply)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            for stream in (writer, *(sink for _, sink in behind.values())):
                stream.close()

    async def _read_head(self, reader):
        try:
            return await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as e:
            assert not e.partial
            return b""

    def _length(self, head):
        found = re.search(rb"\r\ncontent-length: *(\d+)\r\n", head, re.IGNORECASE)
        return int(found.group(1)) if found else 0
