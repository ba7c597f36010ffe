package api

// call is one of the calls. Immutable.
type call struct {
	name, about string
	// fields are those of its body, required those that must be there.
	fields, required fieldSet
	// get: it may also be a GET, without a body. idempotent: an Idempotency-Key counts. changes: it leaves an audit line.
	get, idempotent, changes bool
	// answer is the name of the schema of its answer; requestName that of its body's, for those that others refer to.
	answer, requestName string
	// offered tells whether the node has it; nil for always.
	offered func(cfg *Config) bool
	// run carries it out and appends the answer. An error is a problem, or one of the server's.
	run func(a *API, x *exchange) error
}

var (
	whom         = setOf(fieldNamespace, fieldRooms, fieldUsers, fieldExcept)
	emitFields   = whom | setOf(fieldEvent, fieldArgs, fieldVolatile, fieldLocal)
	emitRequired = setOf(fieldEvent)
	callTable    []call // set by init: the calls' functions read it
)

func init() {
	callTable = []call{
		{
			name: "emit", about: "Send an event to sockets.", fields: emitFields, required: emitRequired,
			idempotent: true, answer: "Emitted", requestName: "EmitRequest", run: (*API).emit,
		},
		{
			name: "emit/batch", about: "Send many events. One that is wrong does not stop the others.",
			fields: setOf(fieldEmits), required: setOf(fieldEmits), idempotent: true, answer: "EmittedBatch", run: (*API).batch,
		},
		{
			name: "call", about: "Send an event and wait for the acknowledgements of the clients.",
			fields: emitFields | setOf(fieldTimeout, fieldLimit), required: emitRequired, answer: "Replies", run: (*API).call,
		},
		{
			name: "join", about: "Put sockets into rooms.", fields: whom | setOf(fieldTo), required: setOf(fieldTo),
			idempotent: true, changes: true, answer: "Counted", run: (*API).join,
		},
		{
			name: "leave", about: "Take sockets out of rooms.", fields: whom | setOf(fieldTo), required: setOf(fieldTo),
			idempotent: true, changes: true, answer: "Counted", run: (*API).leave,
		},
		{
			name: "disconnect", about: "Disconnect sockets.", fields: whom | setOf(fieldClose),
			idempotent: true, changes: true, answer: "Counted", run: (*API).disconnect,
		},
		{
			name: "sockets", about: "List sockets of this node, a page at a time. One that stays is listed exactly once.",
			fields: whom | setOf(fieldLimit, fieldCursor), answer: "Sockets", run: (*API).sockets,
		},
		{
			name: "rooms", about: "List rooms of this node, a page at a time. One that stays is listed exactly once.",
			fields: setOf(fieldNamespace, fieldPrefix, fieldLimit, fieldCursor), answer: "Rooms", run: (*API).rooms,
		},
		{name: "count", about: "Count sockets.", fields: whom, answer: "Count", run: (*API).count},
		{
			name: "stats", about: "Numbers about the node.", fields: setOf(fieldHistory), get: true, answer: "Stats",
			run: (*API).stats,
		},
		{
			name: "drain", about: "End the node, as SIGTERM does. A second call changes nothing and has the same answer.",
			fields: setOf(fieldTimeout, fieldSpread), changes: true, answer: "Drained",
			offered: func(cfg *Config) bool { return cfg.Drain != nil }, run: (*API).drain,
		},
		{
			name: "reload", about: "Read the configuration again.", changes: true, answer: "Reloaded",
			offered: func(cfg *Config) bool { return cfg.Reload != nil }, run: (*API).reload,
		},
		{
			name: "revoke", about: "Refuse a user's tokens that were issued before a time, and disconnect who came with one.",
			fields: setOf(fieldUser, fieldBefore), required: setOf(fieldUser), changes: true, answer: "Counted",
			offered: func(cfg *Config) bool { return cfg.Revoker != nil }, run: (*API).revoke,
		},
	}
}
