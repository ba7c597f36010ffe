// The load profile on the reference server: node server.mjs PORT. Prints "ready" when it listens.
import { createServer } from "node:http";
import { Server } from "socket.io";
import { listenPort, serve } from "./profile.mjs";

const port = listenPort();
const http = createServer();
const io = new Server(http, {
  pingInterval: 25_000,
  pingTimeout: 20_000,
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});
serve(io);
http.listen(port, "127.0.0.1", () => console.log("ready"));
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
