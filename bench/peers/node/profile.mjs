// The load profile of the benchmarks (bench/README.md), on a Server of socket.io.

const NUMBER_DIGITS = 10;
const TIME_DIGITS = 19;
const NS_PER_US = 1000n;
const NS_PER_MS = 1e6;
// A timer is late by up to a millisecond or so; the rest of a wait goes
// through the event loop.
const TIMER_SLACK_MS = 1.5;

// process.hrtime reads CLOCK_MONOTONIC, as the client does.
function tickText(number, size) {
  const head = `#${String(number).padStart(NUMBER_DIGITS, "0")}:`;
  const time = `${String(process.hrtime.bigint()).padStart(TIME_DIGITS, "0")}:`;
  return (head + time).padEnd(size, "x");
}

function publish(audience, { n, size, gap_us: gap }) {
  if (!gap) {
    for (let i = 0; i < n; i++) audience().emit("tick", tickText(i, size));
    return;
  }
  const start = process.hrtime.bigint();
  const step = BigInt(gap) * NS_PER_US;
  let next = 0;
  const run = () => {
    while (next < n) {
      const wait = Number(start + BigInt(next) * step - process.hrtime.bigint()) / NS_PER_MS;
      if (wait > TIMER_SLACK_MS) {
        setTimeout(run, Math.floor(wait));
        return;
      }
      if (wait > 0) {
        setImmediate(run);
        return;
      }
      audience().emit("tick", tickText(next++, size));
    }
  };
  run();
}

// serve adds the events of the profile to a server.
export function serve(io) {
  io.on("connection", (socket) => {
    socket.on("join", (ack) => {
      socket.join("all");
      ack?.();
    });
    socket.on("echo", (...args) => {
      const ack = args.pop();
      if (typeof ack === "function") ack(...args);
    });
    socket.on("enter", (room, ack) => {
      socket.data.room = room;
      socket.join(room);
      ack?.();
    });
    socket.on("move", (text) => {
      socket.to(socket.data.room).emit("move", text);
    });
    socket.on("ping", (ack) => ack?.());
    socket.on("publish", (what) => publish(() => io.to("all"), what));
    socket.on("publish-all", (what) => publish(() => io, what));
  });
}

// listenPort is the port on the command line.
export function listenPort() {
  const port = Number(process.argv[2]);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    console.error("the argument is the port to listen on");
    process.exit(2);
  }
  return port;
}
