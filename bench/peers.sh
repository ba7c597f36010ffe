#!/usr/bin/env bash
# Runs the scenarios against Siren and against socket.io for Node side by side, and prints a table. Small rooms are also
# run against socket.io over uWebSockets.js and over Bun's engine, which are faster than Node's. Small rooms and scenarios
# without a broadcast are also run against a bare gnet server. The servers take turns, each round with fresh processes, so
# that what else the machine does meets all of them. In the cluster's scenarios two nodes of each kind have a redis-server
# between them.
#
#   bench/peers.sh [SCENARIO...]     default: all but floor
#
# ROUNDS=3      rounds of each scenario
# SCALE=1       factor of the numbers of sessions
# OUT=DIR       keep the results, as JSON, in this directory
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(dirname "$here")
rounds=${ROUNDS:-3}
scale=${SCALE:-1}
work=$(mktemp -d)
out=${OUT:-$work/results}
mkdir -p "$out"
server=

stop_server() {
	[ -n "$server" ] || return 0
	kill "$server" 2>/dev/null || true
	wait "$server" 2>/dev/null || true
	server=
}
trap 'stop_server; rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

echo "building Siren" >&2
(cd "$root" && go build -o "$work/siren" ./cmd/siren && go build -o "$work/fixture" ./cmd/fixture)
(cd "$here/peers/gnet" && go build -o "$work/gnet" .)
echo "installing socket.io" >&2
cp "$here"/peers/node/package.json "$here"/peers/node/*.mjs "$work/"
(cd "$work" && npm install --no-package-lock --no-audit --no-fund --loglevel=error >&2)

free_port() {
	node -e 'const s = require("net").createServer().listen(0, "127.0.0.1", () => { console.log(s.address().port); s.close(); })'
}

# start_server NAME PORT waits until the server, or the broker of a cluster, says that it listens.
start_server() {
	case $1 in
	siren) "$work/fixture" -load -off-loop -port "$2" >"$work/server.log" 2>&1 & ;;
	inline) "$work/fixture" -load -port "$2" >"$work/server.log" 2>&1 & ;;
	gnet) "$work/gnet" "$2" >"$work/server.log" 2>&1 & ;;
	node) node "$work/server.mjs" "$2" >"$work/server.log" 2>&1 & ;;
	uws) node "$work/uws.mjs" "$2" >"$work/server.log" 2>&1 & ;;
	bun) "$work/node_modules/.bin/bun" "$work/bun.mjs" "$2" >"$work/server.log" 2>&1 & ;;
	redis) redis-server --port "$2" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" >"$work/server.log" 2>&1 & ;;
	esac
	server=$!
	for _ in $(seq 100); do
		grep -q '^ready\|Ready to accept' "$work/server.log" && return 0
		kill -0 "$server" 2>/dev/null || break
		sleep 0.1
	done
	echo "$1 does not start:" >&2
	cat "$work/server.log" >&2
	return 1
}

sessions() { echo $(($1 * scale)); }

# options SCENARIO prints its flags.
options() {
	case $1 in
	paced) echo "fanout --subscribers $(sessions 500) --broadcasts 100 --gap-us 20000 --repeat 3 --warmup 1" ;;
	burst) echo "fanout --subscribers $(sessions 500) --broadcasts 200 --repeat 3 --warmup 1" ;;
	connect) echo "connect --subscribers $(sessions 1000) --repeat 3 --warmup 1" ;;
	idle) echo "idle --subscribers $(sessions 2000) --duration 30s" ;;
	echo) echo "echo --subscribers $(sessions 100) --duration 2s --repeat 3 --warmup 1" ;;
	rate) echo "echo --subscribers $(sessions 100) --rate $(sessions 2000) --duration 2s --repeat 3 --warmup 1" ;;
	polling) echo "polling --subscribers $(sessions 200) --duration 2s --repeat 3 --warmup 1" ;;
	upgrade) echo "upgrade --subscribers $(sessions 200) --repeat 2 --warmup 1" ;;
	storm) echo "storm --subscribers $(sessions 1000) --repeat 3" ;;
	slow) echo "slow --subscribers $(sessions 100) --repeat 1" ;;
	rooms) echo "rooms --members $(sessions 500) --subscribers $(sessions 4000) --broadcasts 20 --gap-us 100000 --repeat 2 --warmup 1" ;;
	game) echo "game --subscribers $(sessions 2000) --duration 5s --repeat 2 --warmup 1" ;;
	cluster) echo "cluster?adapter=classic --count $(sessions 50000) --repeat 2" ;;
	cluster-sharded) echo "cluster?adapter=sharded --count $(sessions 50000) --repeat 2" ;;
	cluster-streams) echo "cluster?adapter=streams --count $(sessions 20000) --repeat 2" ;;
	cluster-lag) echo "cluster?adapter=classic --count 5000 --rate 1000 --repeat 2" ;;
	*) return 1 ;;
	esac
}

# peers SCENARIO prints the servers it is run against. "siren" runs its handlers
# off the event loops, as users' handlers do by default, "inline" on them.
peers() {
	case $1 in
	echo | rate) echo "node siren inline gnet" ;;
	connect) echo "node siren gnet" ;;
	game) echo "node uws bun siren inline gnet" ;;
	*) echo "node siren" ;;
	esac
}

names=("$@")
if [ ${#names[@]} -eq 0 ]; then
	names=(paced burst connect idle echo rate polling upgrade storm slow rooms game
		cluster cluster-sharded cluster-streams cluster-lag)
fi
for name in "${names[@]}"; do
	options "$name" >/dev/null || { echo "no scenario $name" >&2; exit 2; }
done
# run_cluster NAME ROUND PEER FLAGS... measures two nodes with a broker of their own between them.
run_cluster() {
	local name=$1 round=$2 peer=$3 query=${4#cluster} port
	shift 4
	[ "$peer" = siren ] || set -- "$@" --node "node $work/cluster.mjs"
	port=$(free_port)
	start_server redis "$port"
	"$work/siren" bench cluster --broker "redis://127.0.0.1:$port$query" "$@" --json >"$out/$name.$peer.$round.json" 2>"$work/run.log" ||
		cat "$work/run.log" >&2
	stop_server
}

# run_load NAME ROUND PEER FLAGS... measures one server.
run_load() {
	local name=$1 round=$2 peer=$3 port
	shift 3
	port=$(free_port)
	start_server "$peer" "$port"
	# A run with faults is reported in the table.
	"$work/siren" bench "$@" --url "http://127.0.0.1:$port" --timeout 5m \
		--json "$out/$name.$peer.$round.json" >"$work/run.log" 2>&1 || cat "$work/run.log" >&2
	stop_server
}

for name in "${names[@]}"; do
	read -r -a flags <<<"$(options "$name")"
	for round in $(seq "$rounds"); do
		for peer in $(peers "$name"); do
			echo "$name, round $round: $peer" >&2
			case $name in
			cluster*) run_cluster "$name" "$round" "$peer" "${flags[@]}" ;;
			*) run_load "$name" "$round" "$peer" "${flags[@]}" ;;
			esac
		done
	done
done
node "$here/peers/table.mjs" "$out" node uws bun siren inline gnet
