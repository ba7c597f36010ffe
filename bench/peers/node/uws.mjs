// The load profile on socket.io over uWebSockets.js: node uws.mjs PORT. Prints "ready" when it listens.
import { Server } from "socket.io";
import uws from "@trufflesuite/uws-js-unofficial";
import { listenPort, serve } from "./profile.mjs";

const port = listenPort();
const io = new Server({
  pingInterval: 25_000,
  pingTimeout: 20_000,
  perMessageDeflate: false,
  httpCompression: false,
  serveClient: false,
});
const app = uws.App();
io.attachApp(app);
serve(io);
app.listen("127.0.0.1", port, (socket) => {
  if (!socket) process.exit(1);
  console.log("ready");
});
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
