// The load profile on socket.io over Bun's own engine: bun bun.mjs PORT. Prints "ready" when it listens.
import { Server as Engine } from "@socket.io/bun-engine";
import { Server } from "socket.io";
import { listenPort, serve } from "./profile.mjs";

const port = listenPort();
const io = new Server();
const engine = new Engine({ path: "/socket.io/", pingInterval: 25_000, pingTimeout: 20_000 });
io.bind(engine);
serve(io);
Bun.serve({ hostname: "127.0.0.1", port, ...engine.handler() });
console.log("ready");
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => process.exit(0));
