package api

// field is a member of a call's body.
type field uint8

const (
	fieldNamespace field = iota
	fieldRooms
	fieldUsers
	fieldExcept
	fieldTo
	fieldEvent
	fieldArgs
	fieldVolatile
	fieldLocal
	fieldClose
	fieldEmits
	fieldTimeout
	fieldLimit
	fieldCursor
	fieldPrefix
	fieldUser
	fieldBefore
	fieldHistory
	fieldSpread
	fields // their number
)

// fieldSet is a set of fields. Immutable.
type fieldSet uint32

func setOf(all ...field) (s fieldSet) {
	for _, f := range all {
		s |= 1 << f
	}
	return s
}

func (s fieldSet) has(f field) bool { return s&(1<<f) != 0 }

// all yields the fields in their order.
func (s fieldSet) all(yield func(f field) bool) {
	for f := range fields {
		if s.has(f) && !yield(f) {
			return
		}
	}
}

// The bounds of what a body may hold.
const (
	nameMax        = 128        // bytes of the name of an event or a room
	userMax        = 1024       // bytes of the name of a user
	selectionMax   = 1000       // rooms, users or exceptions
	emitsMax       = 1000       // events in a batch
	argsMax        = 1000       // arguments of an event
	depthMax       = 64         // levels of an event, its own object included
	attachmentsMax = 10         // binary values of an event
	limitDefault   = 100        // entries of a page
	limitMax       = 1000       //
	timeoutDefault = 10_000     // milliseconds that a call waits for replies
	timeoutMax     = 60_000     //
	drainMax       = 86_400_000 // milliseconds that a drain can be asked to take
	repliesMax     = 1_000_000  // replies that a call can be asked to wait for
	prefixMax      = nameMax    // bytes of the beginning of rooms' names
	cursorMax      = 1024       // bytes of a cursor
)

// fieldSpecs has the name, the JSON schema and the description of each field.
var fieldSpecs = [fields]struct {
	name, about string
	schema      schema
}{
	fieldNamespace: {"namespace", `Name of the namespace; "/" when left out.`, schema{"type": "string", "default": "/"}},
	fieldRooms:     {"rooms", "Rooms, or ids of sockets. Left out together with users: everybody. An empty list: nobody.", namesSchema(nameMax)},
	fieldUsers:     {"users", "Users whose sockets are meant, beside those in rooms. An empty list: nobody.", namesSchema(userMax)},
	fieldExcept:    {"except", "Rooms, or ids of sockets, that are left out.", namesSchema(nameMax)},
	fieldTo:        {"to", "Rooms that the selected sockets join or leave.", namesSchema(nameMax)},
	fieldEvent:     {"event", "Name of the event.", schema{"type": "string", "minLength": 1, "maxLength": nameMax}},
	fieldArgs:      {"args", `Arguments of the event. A value {"$binary":"BASE64"} anywhere is a binary attachment.`, schema{"type": "array", "maxItems": argsMax}},
	fieldVolatile:  {"volatile", "Drop the event for clients that cannot take it at once.", schema{"type": "boolean", "default": false}},
	fieldLocal:     {"local", "Only sockets of this node.", schema{"type": "boolean", "default": false}},
	fieldClose:     {"close", "Close the clients' connections, not only their sockets of the namespace.", schema{"type": "boolean", "default": false}},
	fieldEmits:     {"emits", "Events, each as the body of emit.", schema{"type": "array", "maxItems": emitsMax, "items": ref("EmitRequest")}},
	fieldTimeout:   {"timeout_ms", "How long to wait, in milliseconds.", schema{"type": "integer", "minimum": 1}},
	fieldLimit:     {"limit", "The most entries of the answer.", schema{"type": "integer", "minimum": 1}},
	fieldCursor:    {"cursor", "Where to go on: the cursor of the answer before. Empty: from the beginning.", schema{"type": "string", "maxLength": cursorMax, "default": ""}},
	fieldPrefix:    {"prefix", "Only rooms whose names begin so.", schema{"type": "string", "maxLength": prefixMax, "default": ""}},
	fieldUser:      {"user", "The user.", schema{"type": "string", "minLength": 1, "maxLength": userMax}},
	fieldBefore:    {"before", "Tokens that were issued before are refused: RFC 3339, or seconds since 1970. Now when left out.", schema{"type": []string{"string", "number"}}},
	fieldSpread:    {"spread_ms", "The time over which clients are disconnected, in milliseconds, at most timeout_ms. Left out: that of the configuration.", schema{"type": "integer", "minimum": 0, "maximum": drainMax}},
	fieldHistory:   {"history", "Add a row for each of the last 600 seconds.", schema{"type": "boolean", "default": false}},
}

// namesSchema is the schema of a list of names.
func namesSchema(max int) schema {
	return schema{
		"type": "array", "maxItems": selectionMax, "items": schema{"type": "string", "minLength": 1, "maxLength": max},
	}
}

// fieldNames finds fields by their names.
var fieldNames = func() map[string]field {
	m := make(map[string]field, fields)
	for f := range fields {
		m[fieldSpecs[f].name] = f
	}
	return m
}()
