#!/usr/bin/env bash
# usage: bench/scrapes.sh [PAIRS] — what it costs a server to be scraped each second.
#
# A fixture sends a broadcast to 1,000 clients every 20 ms. The seconds of the run come in pairs: in one of them, chosen at
# random, /metrics is fetched. Prints the ratio of the processor time with a scrape to that without, the mean of all pairs
# with its 95 % interval. With REALTIME=1 server and clients run with a real-time priority, for machines that do other work.
set -euo pipefail
cd "$(dirname "$0")/.."
pairs=${1:-80} port=${PORT:-3900}
first=(); [ -z "${REALTIME:-}" ] || first=(chrt -f 10)
work=$(mktemp -d)
go build -o "$work/" ./cmd/siren ./cmd/fixture
"${first[@]}" "$work/fixture" -load -port "$port" -pprof "127.0.0.1:$((port + 1))" > "$work/ready" &
server=$!
trap 'kill $server 2>/dev/null; wait 2>/dev/null; rm -rf "$work"' EXIT
until [ -s "$work/ready" ]; do sleep 0.1; done
"${first[@]}" "$work/siren" bench fanout --url "http://127.0.0.1:$port" --subscribers 1000 --gap-us 20000 --floor=false \
  --broadcasts $(((pairs * 2 + 20) * 50)) --timeout 1h > "$work/table" 2> /dev/null &
clients=$!
sleep 8
cpu() { cat /proc/$server/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'; }
second() { # prints the processor time of a second, scraped or not
  local before; before=$(cpu)
  sleep 0.5
  [ "$1" = 0 ] || curl -sf -o /dev/null "http://127.0.0.1:$((port + 1))/metrics"
  sleep 0.5
  echo $(($(cpu) - before))
}
for ((i = 0; i < pairs; i++)); do
  if ((RANDOM % 2)); then a=$(second 0) b=$(second 1); else b=$(second 1) a=$(second 0); fi
  echo "$a $b"
done | awk '{ r = log($2 / $1); n++; sum += r; squares += r * r }
  END { m = sum / n; e = 1.99 * sqrt((squares / n - m * m) / (n - 1)); printf "%d pairs: %.3f (%.3f–%.3f)\n", n, exp(m), exp(m - e), exp(m + e) }'
kill -INT $clients 2>/dev/null; wait $clients || true
